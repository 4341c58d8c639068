/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of noded.conf, in one table. */
#ifndef QM_NODE_CONF_H
#define QM_NODE_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/conf.h"

enum { NODE_FIREWALL_OFF, NODE_FIREWALL_ON, NODE_FIREWALL_INTEGRATE };
enum { NODE_WG_AUTO, NODE_WG_KERNEL, NODE_WG_USERSPACE };
enum { NODE_INPUT_ALL, NODE_INPUT_MESH_ONLY };
enum { NODE_DNS_OFF, NODE_DNS_ON, NODE_DNS_COREDNS };

struct node_conf {
	char *listen, *listen_plain, *admin_socket, *admin_group;
	char *tls_cert, *tls_key;
	bool http2;
	char *cors_origins;
	char *wg_interface, *wireguard_go;
	uint64_t wg_port, mtu, mesh_port;
	char *dns_upstream;
	char *endpoint;
	char *cp, *cp_pin;
	char *state_dir, *join_token_file, *name;
	int firewall, mesh_input, wg_backend, dns;
	char *metrics, *log_level;
	uint64_t loops, workers;
	uint64_t conn_age_ms, conn_grace_ms;
};

extern const struct conf_table node_conf_table;

#endif
