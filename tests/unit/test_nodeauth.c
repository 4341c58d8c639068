/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose sessions a node takes by itself, whose the Control Panel must be asked
 * about, and whose it refuses. Real guards over loopback calls; the Control Panel
 * is a function that notes that it was asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "gen/rpc/mesh_service.h"
#include "server/node/link.h"
#include "server/node/node.h"
#include "server/node/nodeauth.h"
#include "server/peers/claims.h"
#include "tests/support/panel.h"

struct lab {
	struct node node;
	struct panel panel;
	struct panel_answer answer;
	uint8_t public[SIGN_PUBLIC_LEN], secret[SIGN_SECRET_LEN];
	unsigned n_asked, n_answered;
};

static struct lab lab;

static int ask(struct call *call, void *owner)
{
	(void)owner;
	assert_true(call->caller.pass_on);
	lab.n_asked++;
	return 0;
}

static int list_devices(struct call *call, const Pb__ListDevicesRequest *in,
			Pb__ListDevicesResponse *out)
{
	(void)call;
	(void)in;
	(void)out;
	lab.n_answered++;
	return 0;
}

static int list_peers(struct call *call, const Pb__ListPeersRequest *in, Pb__ListPeersResponse *out)
{
	(void)call;
	(void)in;
	(void)out;
	lab.n_answered++;
	return 0;
}

static const struct mesh_service handlers = {.list_devices = list_devices,
					     .list_peers = list_peers};

static int set_up(void **state)
{
	static char target[] = "https://127.0.0.1:1";
	const struct service_hooks hooks = {
		.authenticate = nodeauth_authenticate, .forward = ask, .owner = &lab.node};
	struct trust *trust = &lab.node.replica.trust;
	const struct uuid self = uuid_make(), tenant = uuid_make();

	(void)state;
	memset(&lab, 0, sizeof(lab));
	lab.node.conf.cp = target;
	sign_make(lab.public, lab.secret);
	assert_int_equal(replica_init(&lab.node.replica, &self, &tenant), 0);
	trust->n_session_keys = 1;
	strcpy(trust->session_keys[0].kid, "0123456789abcdef");
	memcpy(trust->session_keys[0].public_key, lab.public, sizeof(lab.public));
	assert_int_equal(link_new(&lab.node, &lab.node.link), 0);
	link_give_token(lab.node.link, "token", clock_wall_ms() + 600000);
	panel_answer_init(&lab.answer);
	lab.panel.services = services_new(&hooks);
	assert_non_null(lab.panel.services);
	return service_add(lab.panel.services, &mesh_service_desc, mesh_service_handlers(&handlers),
			   &lab.node);
}

static int tear_down(void **state)
{
	(void)state;
	services_free(lab.panel.services);
	link_free(lab.node.link);
	replica_done(&lab.node.replica);
	return 0;
}

/* A session of ours under a kid, by a key. */
static char *session(const char *kid, const uint8_t *secret)
{
	struct claims c = {.tenant_id = lab.node.replica.tenant_id,
			   .user_id = uuid_make(),
			   .session_id = uuid_make(),
			   .role = ROLE_ADMIN,
			   .name = "ann",
			   .issued_at_s = clock_wall_ms() / 1000,
			   .expires_at_s = clock_wall_ms() / 1000 + 600};
	_cleanup_(freep) char *json = NULL;

	claims_aud_node(&lab.node.replica.self, c.aud);
	json = claims_session_text(&c);
	return json ? jwt_sign(CLAIMS_SESSION_TYP, kid, secret, json) : NULL;
}

/* 0, or the refusal. */
static enum err call_with(const char *token, int method)
{
	static const Pb__ListDevicesRequest devices = PB__LIST_DEVICES_REQUEST__INIT;
	static const Pb__ListPeersRequest peers = PB__LIST_PEERS_REQUEST__INIT;
	const struct panel_who who = {.token = token};
	const void *in = method == METHOD_MESH_LIST_PEERS ? (const void *)&peers : &devices;

	lab.n_asked = lab.n_answered = 0;
	assert_int_equal(
		panel_call(&lab.panel, &who, &mesh_service_methods[method], in, &lab.answer), 0);
	return lab.answer.err;
}

static void a_key_that_is_known_is_enough(void **state)
{
	_cleanup_(freep) char *good = session("0123456789abcdef", lab.secret);
	uint8_t public[SIGN_PUBLIC_LEN], other[SIGN_SECRET_LEN];
	_cleanup_(freep) char *bad = NULL;

	(void)state;
	sign_make(public, other);
	bad = session("0123456789abcdef", other);
	assert_int_equal(call_with(good, METHOD_MESH_LIST_DEVICES), ERR_NONE);
	assert_int_equal(lab.n_answered, 1);
	assert_int_equal(call_with(good, METHOD_MESH_LIST_PEERS), ERR_NONE);
	assert_int_equal(lab.n_answered, 1);
	/* Nobody is asked about a forgery. */
	assert_int_equal(call_with(bad, METHOD_MESH_LIST_DEVICES), ERR_TOKEN_INVALID);
	assert_int_equal(lab.n_asked, 0);
}

static void a_key_not_heard_of_is_asked_about(void **state)
{
	_cleanup_(freep) char *news = session("fedcba9876543210", lab.secret);

	(void)state;
	assert_int_equal(call_with(news, METHOD_MESH_LIST_DEVICES), ERR_NONE);
	assert_int_equal(lab.n_asked, 1);
	assert_int_equal(lab.n_answered, 0);
	/* What only this node knows, the Control Panel cannot answer. */
	assert_int_equal(call_with(news, METHOD_MESH_LIST_PEERS), ERR_TOKEN_INVALID);
	assert_int_equal(call_with("no token", METHOD_MESH_LIST_DEVICES), ERR_TOKEN_INVALID);
	assert_int_equal(lab.n_asked, 0);
	/* Nobody to ask. */
	link_refused(lab.node.link, UINT64_MAX);
	assert_int_equal(call_with(news, METHOD_MESH_LIST_DEVICES), ERR_TOKEN_INVALID);
	assert_int_equal(lab.n_asked, 0);
}

/* Of such bytes no call to the Control Panel can be made: they end here, with the same answer. */
static void nothing_is_asked_that_cannot_be_sent(void **state)
{
	static const char *const bad[] = {"qms1.a\xc3\xa4.b", "qms1.a\tb", "qms1.a b", "\x80", " "};
	_cleanup_(freep) char *news = session("fedcba9876543210", lab.secret);
	_cleanup_(freep) char *tail = NULL;

	(void)state;
	assert_true(asprintf(&tail, "%s\xc3\xa4", news) > 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(call_with(bad[i], METHOD_MESH_LIST_DEVICES), ERR_TOKEN_INVALID);
	assert_int_equal(call_with(tail, METHOD_MESH_LIST_DEVICES), ERR_TOKEN_INVALID);
	assert_int_equal(lab.n_asked, 0);
	assert_int_equal(call_with("qms1.a.b", METHOD_MESH_LIST_DEVICES), ERR_NONE);
	assert_int_equal(lab.n_asked, 1);
}

static void idempotency_keys_are_looked_at_here(void **state)
{
	static const Pb__ListDevicesRequest in = PB__LIST_DEVICES_REQUEST__INIT;
	char longest[CALL_IDEMPOTENCY_KEY_MAX + 2] = "";
	const char *bad[] = {"", "caf\xc3\xa9", "a\tb", "\x7f", longest};
	struct panel_who who = {.token = "qms1.a.b"};

	(void)state;
	memset(longest, 'k', sizeof(longest) - 1);
	for (size_t i = 0; i <= ARRAY_LEN(bad); i++) {
		bool good = i == ARRAY_LEN(bad);

		if (good)
			longest[CALL_IDEMPOTENCY_KEY_MAX] = '\0';
		who.idempotency_key = good ? longest : bad[i];
		lab.n_asked = 0;
		assert_int_equal(panel_call(&lab.panel, &who,
					    &mesh_service_methods[METHOD_MESH_LIST_DEVICES], &in,
					    &lab.answer),
				 0);
		assert_int_equal(lab.answer.err, good ? ERR_NONE : ERR_FIELD_INVALID);
		assert_int_equal(lab.n_asked, good);
	}
}

static void a_late_refusal_spares_the_next_token(void **state)
{
	char token[LINK_TOKEN_MAX + 1];

	(void)state;
	link_refused(lab.node.link, 0);
	assert_true(link_token(lab.node.link, token));
	link_refused(lab.node.link, clock_boot_ms());
	assert_false(link_token(lab.node.link, token));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_key_that_is_known_is_enough, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_key_not_heard_of_is_asked_about, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(nothing_is_asked_that_cannot_be_sent, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(idempotency_keys_are_looked_at_here, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_late_refusal_spares_the_next_token, set_up,
						tear_down),
	};

	if (sign_init())
		return 1;
	return cmocka_run_group_tests_name("nodeauth", tests, NULL, NULL);
}
