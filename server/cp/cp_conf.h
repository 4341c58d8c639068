/* SPDX-License-Identifier: Apache-2.0 */
/* Config of qmesh-cpd: one table, the product's numbers as defaults. */
#ifndef QM_CP_CONF_H
#define QM_CP_CONF_H

#include "base/cidr.h"
#include "base/conf.h"
#include "server/cp/plan.h"
#include "server/cp/window.h"

#include <stdbool.h>

struct cp_conf {
	char *listen, *listen_plain, *admin_socket, *admin_group;
	char *state_dir, *cert_file, *key_file, *next_cert_file;
	char *metrics;
	bool http2;
	char *cors_origins;
	char *log_level;
	uint64_t loops, workers;
	uint64_t conn_age_ms, conn_grace_ms, conns_per_address;
	char *pool;
	char *licence_file, *licence_vendor_key_file;
	char *issuers_file;
	char *audit_heads_dir;
	struct plan_caps caps;
	uint64_t provision_limit, provision_period_ms;
	uint64_t session_ms, agent_token_ms, join_token_ms, overlap_ms, lease_ms;
	uint64_t apply_wait_ms, presence_flush_ms;
};

extern const struct conf_table cp_conf_table;

/* What the table cannot say: pool and log level. -EINVAL with a line on stderr. */
int cp_conf_check(const struct cp_conf *conf, struct cidr *ret_pool) _must_check_;
struct window_rule cp_conf_window(const struct cp_conf *conf);

#endif
