/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enroll: the pin in the join token is the whole trust of this call. Routes of
 * the host go along, so that the CP can refuse ranges that overlap them.
 */
#include "server/node/enrol.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "client/qmesh.h"
#include "gen/rpc/stubs.h"
#include "server/wg/netif.h"

#define MAX_ROUTES 1024
#define CALL_TIMEOUT_MS 15000
#define PAUSE_MAX_MS 5000
#define TOKEN_MAX 256
#define TOKEN_MAX_PINS 2

void enrolment_wipe(struct enrolment *e)
{
	key_wipe_bytes(e, sizeof(*e));
}

int enrol_parse_pin(const char *s, uint8_t ret_pin[32])
{
	size_t len = strlen(s), got = 0;

	if (len == 64)
		return text_unhex(s, ret_pin, 32);
	if (text_unbase64(s, len, ret_pin, 32, &got) || got != 32)
		return -EINVAL;
	return 0;
}

/* What the Control Panel may show at the first call: its key, or the one to come. */
struct pins {
	uint8_t pins[TOKEN_MAX_PINS][32];
	size_t n;
};

/* "qmj1.<id>.<secret>.<pin>", and ".<pin>" once more while a TLS key is rotated. */
static int read_pins(const char *token, struct pins *ret)
{
	char text[TOKEN_MAX + 1], *rest = NULL, *word;
	const char *p = token;
	struct pins pins = {0};

	if (strncmp(token, "qmj1.", 5) != 0)
		return -EINVAL;
	for (int i = 0; i < 3; i++) {
		p = strchr(p, '.');
		if (!p++)
			return -EINVAL;
	}
	snprintf(text, sizeof(text), "%s", p);
	for (word = strtok_r(text, ".", &rest); word; word = strtok_r(NULL, ".", &rest)) {
		if (pins.n == TOKEN_MAX_PINS || enrol_parse_pin(word, pins.pins[pins.n]))
			return -EINVAL;
		pins.n++;
	}
	if (!pins.n)
		return -EINVAL;
	*ret = pins;
	return 0;
}

static int read_token(const char *path, char ret[TOKEN_MAX + 1])
{
	_cleanup_(fclosep) FILE *f = fopen(path, "re");

	if (!f)
		return -errno;
	if (!fgets(ret, TOKEN_MAX + 1, f))
		return -ENODATA;
	ret[strcspn(ret, " \t\r\n")] = '\0';
	return ret[0] ? 0 : -ENODATA;
}

static int make_client(const struct node_conf *conf, const struct pins *pins,
		       struct qm_client **ret_client)
{
	const struct qm_options options = {
		.target = conf->cp,
		.pins = pins->pins,
		.n_pins = pins->n,
		.user_agent = "qmesh-noded/" QMESH_VERSION,
	};
	int r = qm_client_new(&options, ret_client);

	if (r)
		log_error("node", "cp = %s: %s", conf->cp, strerror(-r));
	return r;
}

struct routes {
	char text[MAX_ROUTES][CIDR_TEXT_LEN + 1];
	char *list[MAX_ROUTES];
	struct cidr found[MAX_ROUTES];
};

static size_t read_routes(const char *interface, struct routes *routes)
{
	int n = netif_routes(interface, routes->found, MAX_ROUTES);

	if (n < 0)
		log_warn("node", "routes of this host not read: %s", strerror(-n));
	for (int i = 0; i < n; i++) {
		const struct cidr net = cidr_network(&routes->found[i]);

		routes->list[i] = routes->text[i];
		cidr_text(&net, routes->text[i]);
	}
	return n > 0 ? (size_t)n : 0;
}

static int take_answer(const Pb__EnrollResponse *out, struct identity *id, struct enrolment *ret)
{
	if (uuid_parse(out->node_id, &id->node_id) || uuid_parse(out->tenant_id, &id->tenant_id))
		return -EBADMSG;
	if (!out->keys || trust_read(out->keys, &ret->trust))
		return -EBADMSG;
	snprintf(ret->agent_token, sizeof(ret->agent_token), "%s", out->agent_token);
	if (out->agent_token_expires_at)
		ret->token_expires_at_ms = out->agent_token_expires_at->seconds * 1000;
	log_info("node", "joined %s as %s, range %s", out->tenant_name, out->mesh_ip, out->range);
	return 0;
}

static void wipe_answer(Pb__EnrollResponse *out)
{
	explicit_bzero(out->agent_token, strlen(out->agent_token));
	for (size_t i = 0; out->keys && i < out->keys->n_k_n; i++)
		key_wipe_bytes(out->keys->k_n[i]->key.data, out->keys->k_n[i]->key.len);
	pb__enroll_response__free_unpacked(out, NULL);
}

/* -EAGAIN: not reached, try again. */
static int call_once(struct qm_client *client, const Pb__EnrollRequest *req, struct identity *id,
		     struct enrolment *ret)
{
	const struct qm_call_options options = {.timeout_ms = CALL_TIMEOUT_MS};
	Pb__EnrollResponse *out = NULL;
	struct qm_reply reply;
	int r;

	r = qm_enroll(client, &options, req, &reply, &out);
	if (r)
		return err_trace(r);
	if (out) {
		r = take_answer(out, id, ret);
		wipe_answer(out);
	} else if (reply.status.code == GRPC_UNAVAILABLE ||
		   reply.status.code == GRPC_DEADLINE_EXCEEDED) {
		log_warn("node", "Control Panel not reached: %s",
			 reply.status.message ? reply.status.message : "?");
		r = -EAGAIN;
	} else {
		log_error("node", "the Control Panel refuses this node: %s",
			  reply.status.message ? reply.status.message : "?");
		r = reply.status.err ? (int)reply.status.err : ERR_INTERNAL;
	}
	qm_reply_done(&reply);
	return r;
}

static int call_until(struct qm_client *client, const Pb__EnrollRequest *req, struct identity *id,
		      bool (*stop)(void), struct enrolment *ret)
{
	unsigned pause_ms = 250;
	int r = -EAGAIN;

	while (r == -EAGAIN && !stop()) {
		r = call_once(client, req, id, ret);
		for (unsigned slept = 0; r == -EAGAIN && slept < pause_ms && !stop(); slept += 50)
			nanosleep(&(const struct timespec){.tv_nsec = 50000000}, NULL);
		pause_ms = pause_ms * 2 < PAUSE_MAX_MS ? pause_ms * 2 : PAUSE_MAX_MS;
	}
	return r;
}

static void qm_client_freep(struct qm_client **client)
{
	if (*client)
		qm_client_free(*client);
}

static int run(const struct node_conf *conf, struct identity *id, char *token, bool (*stop)(void),
	       struct enrolment *ret)
{
	_cleanup_(qm_client_freep) struct qm_client *client = NULL;
	_cleanup_(freep) struct routes *routes = calloc(1, sizeof(*routes));
	Pb__EnrollRequest req = PB__ENROLL_REQUEST__INIT;
	struct pins pins = {0};
	char host[256] = "node";
	int r;

	if (!routes)
		return err_origin(-ENOMEM);
	if (id->has_pin) {
		pins.n = 1;
		memcpy(pins.pins[0], id->cp_pin, sizeof(id->cp_pin));
	} else if (read_pins(token, &pins)) {
		log_error("node", "the join token has no pin: it must be qmj1.…");
		return ERR_JOIN_TOKEN_INVALID;
	}
	memcpy(id->cp_pin, pins.pins[0], sizeof(id->cp_pin));
	id->has_pin = true;
	r = make_client(conf, &pins, &client);
	if (r)
		return err_trace(r);
	gethostname(host, sizeof(host) - 1);
	host[strcspn(host, ".")] = '\0';
	req.join_token = token;
	req.name = conf->name[0] ? conf->name : host;
	req.wg_public_key = (ProtobufCBinaryData){.len = KEY_LEN, .data = id->wg_public.b};
	req.identity_key = (ProtobufCBinaryData){.len = SIGN_PUBLIC_LEN, .data = id->sign_public};
	req.endpoint = conf->endpoint;
	req.version = (char *)QMESH_VERSION;
	req.n_host_routes = read_routes(conf->wg_interface, routes);
	req.host_routes = routes->list;
	return call_until(client, &req, id, stop, ret);
}

int enrol(const struct node_conf *conf, struct identity *identity, bool (*stop)(void),
	  struct enrolment *ret)
{
	char token[TOKEN_MAX + 1];
	int r;

	if (!conf->join_token_file[0]) {
		log_error("node", "this node belongs to no tenant yet: give it join_token_file");
		return ERR_JOIN_TOKEN_INVALID;
	}
	if (!conf->cp[0]) {
		log_error("node", "cp is not set: where is the Control Panel?");
		return -EINVAL;
	}
	r = read_token(conf->join_token_file, token);
	if (r) {
		log_error("node", "%s: %s", conf->join_token_file, strerror(-r));
		return r;
	}
	r = run(conf, identity, token, stop, ret);
	explicit_bzero(token, sizeof(token));
	if (r)
		return r;
	return identity_save(conf->state_dir, identity);
}
