/* SPDX-License-Identifier: Apache-2.0 */
/* One row per key: name, type, place, default, bounds, help. */
#include "server/cp/cp_conf.h"

#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "server/rpc/server.h"

#define AT(field) offsetof(struct cp_conf, field)

static const struct conf_key keys[] = {
	{"listen", CONF_STRING, AT(listen), "[::]:7443", 0, 255, NULL,
	 "TLS address for agents, people and REST; empty: off"},
	{"listen_plain", CONF_STRING, AT(listen_plain), "", 0, 255, NULL,
	 "clear-text address, loopback only; empty: off"},
	{"admin_socket", CONF_STRING, AT(admin_socket), "/run/qmesh/cpd.sock", 0, 107, NULL,
	 "Unix socket of the operator; empty: off"},
	{"admin_group", CONF_STRING, AT(admin_group), "qmesh-admin", 0, 64, NULL,
	 "group that may use the Unix socket as operator, beside root"},
	{"state_dir", CONF_STRING, AT(state_dir), "/var/lib/qmesh/cp", 1, 255, NULL,
	 "store and keys"},
	{"cert_file", CONF_STRING, AT(cert_file), "", 0, 4095, NULL,
	 "PEM chain; empty: one made at the first start"},
	{"key_file", CONF_STRING, AT(key_file), "", 0, 4095, NULL, "PEM key of cert_file"},
	{"next_cert_file", CONF_STRING, AT(next_cert_file), "", 0, 4095, NULL,
	 "PEM certificate that will follow cert_file: nodes and join tokens trust it already"},
	{"metrics", CONF_STRING, AT(metrics), "", 0, 255, NULL,
	 "loopback address of /metrics; empty: off"},
	{"http2", CONF_BOOL, AT(http2), "on", 0, 0, NULL, "off: HTTP/1.1 only, no gRPC"},
	{"cors_origins", CONF_STRING, AT(cors_origins), "", 0, 4095, NULL,
	 "other sites whose pages may call gRPC-Web and Connect, as https://app.example"},
	{"log_level", CONF_STRING, AT(log_level), "info", 1, 8, NULL, "error, warn, info or debug"},
	{"loops", CONF_U64, AT(loops), "0", 0, 64, NULL, "network threads; 0: one per core"},
	{"workers", CONF_U64, AT(workers), "64", 1, 256, NULL, "worker threads at most"},
	{"connection_age", CONF_MS, AT(conn_age_ms), "0s", 0, 7776000000, NULL,
	 "a connection is asked to come again after this time, give or take a tenth; 0s: never"},
	{"connection_grace", CONF_MS, AT(conn_grace_ms), "5m", 1000, 86400000, NULL,
	 "how long its calls may go on then; streams end after it"},
	{"connections_per_address", CONF_U64, AT(conns_per_address), "1024", 16, 16384, NULL,
	 "open at a time from one address, or one IPv6 /64; more nodes than that behind one NAT"},
	{"pool", CONF_STRING, AT(pool), "10.64.0.0/10", 1, 18, NULL,
	 "network whose /16s tenants get"},
	{"licence_file", CONF_STRING, AT(licence_file), "", 0, 4095, NULL,
	 "where a new licence is looked for, at start, on SIGHUP and when it changes"},
	{"licence_vendor_key_file", CONF_STRING, AT(licence_vendor_key_file), "", 0, 4095, NULL,
	 "public keys of vendors whose licences are taken, beside those compiled in"},
	{"issuers_file", CONF_STRING, AT(issuers_file), "", 0, 4095, NULL,
	 "issuers whose tokens people may sign in with; read at start and on SIGHUP"},
	{"audit_heads_dir", CONF_STRING, AT(audit_heads_dir), "", 0, 255, NULL,
	 "where a file with the signed heads of all audits is put each day; empty: nowhere"},
	{"cap_free", CONF_U64, AT(caps.free), "3", 1, 61439, NULL, "devices of the Free plan"},
	{"cap_pro", CONF_U64, AT(caps.pro), "20", 1, 61439, NULL, "devices of the Pro plan"},
	{"cap_team", CONF_U64, AT(caps.team), "100", 1, 61439, NULL, "devices of the Team plan"},
	{"provision_limit", CONF_U64, AT(provision_limit), "5", 1, WINDOW_MAX_STAMPS, NULL,
	 "accepted creations and rotations per user in provision_period"},
	{"provision_period", CONF_MS, AT(provision_period_ms), "60s", 1000, 86400000, NULL,
	 "the time they are counted over"},
	{"session_life", CONF_MS, AT(session_ms), "8h", 60000, 604800000, NULL,
	 "life of a person's session"},
	{"agent_token_life", CONF_MS, AT(agent_token_ms), "15m", 2000, 900000, NULL,
	 "life of a node's token"},
	{"join_token_life", CONF_MS, AT(join_token_ms), "24h", 60000, 604800000, NULL,
	 "life of a join token"},
	{"rotation_overlap", CONF_MS, AT(overlap_ms), "10m", 1000, 86400000, NULL,
	 "how long the old key of a rotation works at most"},
	{"lease", CONF_MS, AT(lease_ms), "7d", 0, 7776000000, NULL,
	 "how long device peers live on nodes without word from here; 0s: for ever"},
	{"apply_wait", CONF_MS, AT(apply_wait_ms), "1s", 0, 5000, NULL,
	 "how long an answer waits for the home node to apply"},
	{"presence_flush", CONF_MS, AT(presence_flush_ms), "5m", 1000, 3600000, NULL,
	 "how often last-seen times are written"},
};

static int check(const void *target)
{
	const struct cp_conf *conf = target;
	struct cidr pool;

	if (server_check_address(LISTENER_TLS, "listen", conf->listen) ||
	    server_check_address(LISTENER_PLAIN, "listen_plain", conf->listen_plain) ||
	    server_check_address(LISTENER_PLAIN, "metrics", conf->metrics))
		return -EINVAL;
	return cp_conf_check(conf, &pool);
}

const struct conf_table cp_conf_table = {
	.program = "qmesh-cpd",
	.file = "/etc/qmesh/cpd.conf",
	.keys = keys,
	.n_keys = ARRAY_LEN(keys),
	.check = check,
};

int cp_conf_check(const struct cp_conf *conf, struct cidr *ret_pool)
{
	enum log_level level;
	struct cidr pool, network;

	if (log_level_parse(conf->log_level, &level)) {
		fprintf(stderr, "log_level: must be error, warn, info or debug\n");
		return -EINVAL;
	}
	if (!*conf->cert_file != !*conf->key_file) {
		fprintf(stderr, "cert_file and key_file: give both or neither\n");
		return -EINVAL;
	}
	if (conf->lease_ms && conf->lease_ms < 3600000) {
		fprintf(stderr, "lease: must be 0s or 1h to 90d\n");
		return -EINVAL;
	}
	if (cidr_parse(conf->pool, &pool) || pool.family != CIDR_V4 || pool.bits < 4 ||
	    pool.bits > 16) {
		fprintf(stderr, "pool: must be an IPv4 network of /4 to /16\n");
		return -EINVAL;
	}
	network = cidr_network(&pool);
	if (!cidr_equal(&pool, &network)) {
		fprintf(stderr, "pool: has bits set beyond its length\n");
		return -EINVAL;
	}
	*ret_pool = pool;
	return 0;
}

struct window_rule cp_conf_window(const struct cp_conf *conf)
{
	return (struct window_rule){.limit = (uint32_t)conf->provision_limit,
				    .period_ms = conf->provision_period_ms};
}
