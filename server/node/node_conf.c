/* SPDX-License-Identifier: Apache-2.0 */
/* One row per key: name, type, place, default, bounds, help. */
#include "server/node/node_conf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cidr.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "client/target.h"
#include "server/node/enrol.h"
#include "server/rpc/server.h"

#define AT(field) offsetof(struct node_conf, field)

static const struct conf_key keys[] = {
	{"listen", CONF_STRING, AT(listen), "[::]:7444", 0, 255, NULL,
	 "TLS address of page, API and gRPC; empty: off"},
	{"listen_plain", CONF_STRING, AT(listen_plain), "", 0, 255, NULL,
	 "clear-text address, loopback only; empty: off"},
	{"admin_socket", CONF_STRING, AT(admin_socket), "/run/qmesh/noded.sock", 0, 107, NULL,
	 "Unix socket for the local operator; empty: off"},
	{"admin_group", CONF_STRING, AT(admin_group), "qmesh-admin", 0, 64, NULL,
	 "group that may use the Unix socket as operator, beside root"},
	{"tls_cert", CONF_STRING, AT(tls_cert), "", 0, 4095, NULL,
	 "PEM chain; empty: one made at the first start"},
	{"tls_key", CONF_STRING, AT(tls_key), "", 0, 4095, NULL, "PEM key of tls_cert"},
	{"http2", CONF_BOOL, AT(http2), "on", 0, 0, NULL, "off: HTTP/1.1 only, no gRPC"},
	{"cors_origins", CONF_STRING, AT(cors_origins), "", 0, 4095, NULL,
	 "other sites whose pages may call gRPC-Web and Connect, as https://app.example"},
	{"wg_interface", CONF_STRING, AT(wg_interface), "wg-quazzar0", 1, 15, NULL,
	 "WireGuard interface"},
	{"wg_port", CONF_U64, AT(wg_port), "51820", 1, 65535, NULL, "its UDP port"},
	{"mtu", CONF_U64, AT(mtu), "1420", 1280, 9000, NULL, "its MTU"},
	{"wg_backend", CONF_ENUM, AT(wg_backend), "auto", 0, 0, "auto|kernel|userspace",
	 "who runs it; auto: who does already, else the kernel if it can, else wireguard_go"},
	{"wireguard_go", CONF_STRING, AT(wireguard_go), "wireguard-go", 1, 4095, NULL,
	 "userspace WireGuard, used where the kernel has none"},
	{"endpoint", CONF_STRING, AT(endpoint), "", 0, 261, NULL,
	 "host:port where others reach wg_port; empty: this node reaches out only"},
	{"cp", CONF_STRING, AT(cp), "", 0, 511, NULL, "Control Panel, https://host:port"},
	{"cp_pin", CONF_STRING, AT(cp_pin), "", 0, 64, NULL,
	 "SHA-256 of the Control Panel's key; empty: the join token's"},
	{"state_dir", CONF_STRING, AT(state_dir), "/var/lib/qmesh/node", 1, 255, NULL,
	 "keys and the last good list"},
	{"join_token_file", CONF_STRING, AT(join_token_file), "", 0, 4095, NULL,
	 "file with the join token; read once"},
	{"name", CONF_STRING, AT(name), "", 0, 256, NULL,
	 "label of this node when it joins; empty: the host name"},
	{"firewall", CONF_ENUM, AT(firewall), "on", 0, 0, "off|on|integrate",
	 "own nft table for the interface; integrate: and accepts in chains of others that drop us"},
	{"mesh_input", CONF_ENUM, AT(mesh_input), "all", 0, 0, "all|mesh-only",
	 "what of this host members may reach: every port, or mesh services only"},
	{"mesh_port", CONF_U64, AT(mesh_port), "8443", 0, 65535, NULL,
	 "page, API and gRPC by HTTPS on the mesh addresses, for members only; 0: off"},
	{"dns", CONF_ENUM, AT(dns), "on", 0, 0, "off|on|coredns",
	 "names of the mesh on port 53 of the mesh addresses, for members only; coredns: a CoreDNS "
	 "has the port and asks this node"},
	{"dns_upstream", CONF_STRING, AT(dns_upstream), "", 0, 190, NULL,
	 "addresses that are asked for other names; empty: those of /etc/resolv.conf"},
	{"metrics", CONF_STRING, AT(metrics), "", 0, 255, NULL,
	 "loopback address of /metrics; empty: off"},
	{"log_level", CONF_STRING, AT(log_level), "info", 1, 8, NULL, "error, warn, info or debug"},
	{"loops", CONF_U64, AT(loops), "0", 0, 64, NULL, "network threads; 0: one per core"},
	{"workers", CONF_U64, AT(workers), "16", 1, 256, NULL, "worker threads at most"},
	{"connection_age", CONF_MS, AT(conn_age_ms), "0s", 0, 7776000000, NULL,
	 "a connection is asked to come again after this time, give or take a tenth; 0s: never"},
	{"connection_grace", CONF_MS, AT(conn_grace_ms), "5m", 1000, 86400000, NULL,
	 "how long its calls may go on then; streams end after it"},
};

static const char *const own_flags[] = {"--teardown", NULL};

/* What a node reaches and is reached by, told before anything is started. */
static int check_peers(const struct node_conf *conf)
{
	struct target cp;
	uint8_t pin[32];

	if (conf->endpoint[0] && hostport_check(conf->endpoint)) {
		fprintf(stderr, "endpoint: %s is not host:port\n", conf->endpoint);
		return -EINVAL;
	}
	if (conf->cp[0] && target_parse(conf->cp, &cp)) {
		fprintf(stderr, "cp: %s is not https://host:port\n", conf->cp);
		return -EINVAL;
	}
	if (conf->cp_pin[0] && enrol_parse_pin(conf->cp_pin, pin)) {
		fprintf(stderr, "cp_pin: must be 32 bytes in hex or base64url\n");
		return -EINVAL;
	}
	return 0;
}

/* The kernel takes more, but rules of nft name it too: no quote, blank or wildcard. */
static bool is_interface(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
			  others[] = "0123456789_.-";
	const char *p = name + strspn(name, letters);

	if (p == name)
		return false;
	while (*p && (strchr(letters, *p) || strchr(others, *p)))
		p++;
	return !*p;
}

static int check(const void *target)
{
	const struct node_conf *conf = target;
	enum log_level level;

	if (log_level_parse(conf->log_level, &level)) {
		fprintf(stderr, "log_level: must be error, warn, info or debug\n");
		return -EINVAL;
	}
	if (!is_interface(conf->wg_interface)) {
		fprintf(stderr,
			"wg_interface: %s is no name of an interface: a letter, then letters, "
			"digits and _ . -\n",
			conf->wg_interface);
		return -EINVAL;
	}
	if (check_peers(conf))
		return -EINVAL;
	return !server_check_address(LISTENER_TLS, "listen", conf->listen) &&
			       !server_check_address(LISTENER_PLAIN, "listen_plain",
						     conf->listen_plain) &&
			       !server_check_address(LISTENER_PLAIN, "metrics", conf->metrics)
		       ? 0
		       : -EINVAL;
}

const struct conf_table node_conf_table = {
	.program = "qmesh-noded",
	.file = "/etc/qmesh/noded.conf",
	.keys = keys,
	.n_keys = ARRAY_LEN(keys),
	.check = check,
	.own_flags = own_flags,
};
