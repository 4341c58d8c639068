/* SPDX-License-Identifier: Apache-2.0 */
/* What a licence may say, and the plan that follows from it, at every time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/sign.h"
#include "server/cp/licence.h"

#define PANEL "01890000-0000-7000-8000-000000000001"
#define OTHER "01890000-0000-7000-8000-000000000002"
#define TENANT "01890000-0000-7000-8000-00000000000a"
#define DAY_MS INT64_C(86400000)

static uint8_t public_key[SIGN_PUBLIC_LEN], secret[SIGN_SECRET_LEN];
static struct vendorkeys keys;
static const struct plan_caps caps = {.free = 3, .pro = 20, .team = 100};

static int make_keys(void **state)
{
	char list[200], text[TEXT_BASE64_LEN(SIGN_PUBLIC_LEN) + 1];

	(void)state;
	assert_int_equal(sign_init(), 0);
	sign_make(public_key, secret);
	text_base64(public_key, sizeof(public_key), text);
	snprintf(list, sizeof(list), "# ours\n\n%s \tExample Ltd \r\n", text);
	return vendorkeys_parse(list, "test", true, &keys);
}

static struct uuid id_of(const char *text)
{
	struct uuid id;

	assert_int_equal(uuid_parse(text, &id), 0);
	return id;
}

/* The word of the fault; NULL: good. */
static const char *judge(const char *claims, struct licence *ret)
{
	char *token = jwt_sign(LICENCE_TYP, keys.keys[0].id, secret, claims);
	struct licence_fault fault = {.word = NULL};
	int r = licence_read(token, &keys, ret, &fault);

	free(token);
	assert_true(r == 0 || r == ERR_LICENCE_INVALID);
	assert_true(!r == !fault.word);
	return fault.word;
}

#define WHO "\"serial\":\"7\",\"licensee\":\"Acme\",\"control_panel\":\"" PANEL "\""

static void reads_what_it_says(void **state)
{
	struct licence l;

	(void)state;
	assert_null(judge("{" WHO ",\"plan\":\"PLAN_TEAM\",\"tenants\":[\"" TENANT
			  "\"],\"device_cap\":40,\"features\":[\"saml_provisioning\"],"
			  "\"not_before\":\"2026-01-01T00:00:00Z\","
			  "\"expires_at\":\"2027-01-01T00:00:00Z\",\"grace_days\":14}",
			  &l));
	assert_int_equal(l.serial, 7);
	assert_string_equal(l.licensee, "Acme");
	assert_int_equal(l.plan, PLAN_TEAM);
	assert_int_equal(l.device_cap, 40);
	assert_string_equal(l.features, "saml_provisioning");
	assert_int_equal(l.not_before_ms, INT64_C(1767225600000));
	assert_int_equal(l.expires_ms, INT64_C(1798761600000));
	assert_int_equal(licence_grace_ms(&l), INT64_C(1798761600000) + 14 * DAY_MS);
	assert_string_equal(l.key.name, "Example Ltd");
	assert_true(l.key.own);
	assert_true(licence_covers(&l, &(struct uuid){.b = {0}}) == false);
}

static void names_what_is_wrong(void **state)
{
	struct licence l;

	(void)state;
	assert_string_equal(judge("{" WHO "}", &l), "unknown-plan");
	assert_string_equal(judge("{" WHO ",\"plan\":\"PLAN_GOLD\"}", &l), "unknown-plan");
	assert_string_equal(judge("{" WHO ",\"plan\":9}", &l), "unknown-plan");
	assert_string_equal(judge("{" WHO ",\"plan\":2,\"features\":[\"teleport\"]}", &l),
			    "unknown-feature");
	assert_string_equal(judge("{" WHO ",\"plan\":2,\"surprise\":1}", &l), "format");
	assert_string_equal(
		judge("{\"licensee\":\"Acme\",\"plan\":2,\"tenants\":[\"" TENANT "\"]}", &l),
		"format"); /* no serial */
	assert_string_equal(judge("{\"serial\":1,\"licensee\":\"Acme\",\"plan\":2}", &l), "format");
	assert_string_equal(judge("{" WHO ",\"plan\":2,\"tenants\":[\"acme\"]}", &l), "format");
	assert_string_equal(judge("{" WHO ",\"plan\":2,\"grace_days\":91}", &l), "format");
	assert_string_equal(judge("{" WHO ",\"plan\":2,\"not_before\":\"2027-01-01T00:00:00Z\","
				  "\"expires_at\":\"2026-01-01T00:00:00Z\"}",
				  &l),
			    "format");
	assert_string_equal(judge("[]", &l), "format");
}

static void every_bit_is_signed(void **state)
{
	char *token = jwt_sign(LICENCE_TYP, keys.keys[0].id, secret, "{" WHO ",\"plan\":2}");
	struct licence_fault fault;
	struct licence l;
	size_t len = strlen(token);

	(void)state;
	assert_int_equal(licence_read(token, &keys, &l, &fault), 0);
	for (size_t i = 0; i < len; i++) {
		char was = token[i];

		token[i] = was == 'A' ? 'B' : 'A';
		assert_int_equal(licence_read(token, &keys, &l, &fault), ERR_LICENCE_INVALID);
		token[i] = was;
	}
	free(token);
}

static void only_our_kind_of_token(void **state)
{
	static const char claims[] = "{" WHO ",\"plan\":2}";
	uint8_t other_public[SIGN_PUBLIC_LEN], other_secret[SIGN_SECRET_LEN];
	struct licence_fault fault;
	struct licence l;
	char *token, text[4096];

	(void)state;
	token = jwt_sign("qmesh-session+jwt", keys.keys[0].id, secret, claims);
	assert_int_equal(licence_read(token, &keys, &l, &fault), ERR_LICENCE_INVALID);
	assert_string_equal(fault.word, "unknown-key");
	free(token);
	sign_make(other_public, other_secret);
	token = jwt_sign(LICENCE_TYP, keys.keys[0].id, other_secret, claims);
	assert_int_equal(licence_read(token, &keys, &l, &fault), ERR_LICENCE_INVALID);
	assert_string_equal(fault.word, "signature");
	free(token);
	token = jwt_sign(LICENCE_TYP, keys.keys[0].id, secret, claims);
	snprintf(text, sizeof(text), "# for Acme\r\n\n  %s\t\r\n# end\n", token);
	assert_int_equal(licence_read(text, &keys, &l, &fault), 0);
	snprintf(text, sizeof(text), "%s\n%s\n", token, token);
	assert_int_equal(licence_read(text, &keys, &l, &fault), ERR_LICENCE_INVALID);
	free(token);
	assert_int_equal(licence_read("# nothing\n", &keys, &l, &fault), ERR_LICENCE_INVALID);
	assert_string_equal(fault.word, "format");
}

static void where_and_when(void **state)
{
	const struct uuid panel = id_of(PANEL), other = id_of(OTHER);
	struct licence l = {.panel = panel, .not_before_ms = 1000, .expires_ms = 2000};
	struct licence_fault fault;

	(void)state;
	assert_int_equal(licence_check(&l, &panel, 1000, &fault), 0);
	assert_int_equal(licence_check(&l, &panel, 1999, &fault), 0);
	assert_int_equal(licence_check(&l, &panel, 999, &fault), ERR_LICENCE_INVALID);
	assert_string_equal(fault.word, "not-yet-valid");
	assert_int_equal(licence_check(&l, &panel, 2000, &fault), ERR_LICENCE_INVALID);
	assert_string_equal(fault.word, "expired");
	assert_int_equal(licence_check(&l, &other, 1500, &fault), ERR_LICENCE_INVALID);
	assert_string_equal(fault.word, "wrong-control-panel");
	l.expires_ms = 0;
	assert_int_equal(licence_check(&l, &panel, INT64_MAX, &fault), 0);
	assert_int_equal(licence_state(&l, INT64_MAX), PLANS_LICENCE_VALID);
	l.expires_ms = 2000;
	l.grace_days = 1;
	assert_int_equal(licence_state(&l, 1999), PLANS_LICENCE_VALID);
	assert_int_equal(licence_state(&l, 2000), PLANS_LICENCE_GRACE);
	assert_int_equal(licence_state(&l, 2000 + DAY_MS - 1), PLANS_LICENCE_GRACE);
	assert_int_equal(licence_state(&l, 2000 + DAY_MS), PLANS_LICENCE_EXPIRED);
}

/* The whole life of a tenant's plan. */
static void the_later_word_wins(void **state)
{
	struct licence l = {.serial = 1, .plan = PLAN_TEAM, .expires_ms = 2000, .grace_days = 1};
	struct tenant_row t = {.id = id_of(TENANT), .devices = 5};
	char notices[PLANS_MAX_NOTICES][PLANS_TEXT_MAX];
	struct tenantrec rec;

	(void)state;
	licence_apply(NULL, &caps, 1000, &t);
	assert_int_equal(t.plan, PLAN_FREE);
	assert_int_equal(t.plan_source, PLANS_NOBODY);
	assert_int_equal(t.cap, 3);
	t.trial_plan = PLAN_ENTERPRISE;
	licence_apply(NULL, &caps, 1000, &t);
	assert_int_equal(t.plan_source, PLANS_OPERATOR);
	assert_int_equal(t.cap, 0);
	licence_apply(&l, &caps, 1000, &t); /* installed: the trial is over */
	assert_int_equal(t.trial_plan, 0);
	assert_int_equal(t.plan, PLAN_TEAM);
	assert_int_equal(t.plan_source, PLANS_LICENCE);
	assert_int_equal(t.cap, 100);
	t.trial_plan = PLAN_PRO; /* a trial that begins beside it */
	licence_apply(&l, &caps, 1000, &t);
	assert_int_equal(t.plan, PLAN_PRO);
	assert_int_equal(t.plan_source, PLANS_OPERATOR);
	t.trial_plan = 0;
	l.device_cap = 40;
	licence_apply(&l, &caps, 2500, &t); /* grace */
	assert_int_equal(t.licence_state, PLANS_LICENCE_GRACE);
	assert_int_equal(t.plan, PLAN_TEAM);
	assert_int_equal(t.cap, 40);
	plan_record(&t, &rec);
	assert_int_equal(plans_notices(&rec, t.devices, notices), 1);
	assert_non_null(strstr(notices[0], "goes on until 1970-01-02"));
	licence_apply(&l, &caps, 2000 + DAY_MS, &t); /* over */
	assert_int_equal(t.plan, PLAN_FREE);
	assert_int_equal(t.cap, 3);
	assert_int_equal(plan_admit(&t), ERR_DEVICE_CAP_REACHED);
	plan_record(&t, &rec);
	assert_int_equal(plans_notices(&rec, t.devices, notices), 2);
	assert_non_null(strstr(notices[0], "Over cap: 5 of 3 devices."));
	assert_non_null(strstr(notices[1], "The licence for the Team plan expired on 1970-01-01"));
	l.n_tenants = 1; /* a licence for somebody else */
	licence_apply(&l, &caps, 1000, &t);
	assert_int_equal(t.licence_state, PLANS_LICENCE_NONE);
	assert_int_equal(t.licence_serial, 0);
	assert_int_equal(t.plan, PLAN_FREE);
}

static void why_a_feature_is_on_or_off(void **state)
{
	struct licence l = {.serial = 1, .plan = PLAN_PRO, .expires_ms = 2000};
	struct tenant_row t = {.id = id_of(TENANT), .devices = 25};
	char why[PLANS_TEXT_MAX];
	struct tenantrec rec;

	(void)state;
	strcpy(l.features, "audit_log");
	licence_apply(&l, &caps, 1000, &t);
	plan_record(&t, &rec);
	plans_why(&rec, 0, t.devices, why);
	assert_string_equal(why, "part of every plan; over cap: 25 of 20");
	plans_why(&rec, 1, t.devices, why);
	assert_string_equal(why, "part of the Pro plan");
	plans_why(&rec, 2, t.devices, why);
	assert_string_equal(why, "granted by the licence");
	plans_why(&rec, 3, t.devices, why);
	assert_string_equal(why, "needs the Enterprise plan");
	assert_true(plan_has(&t, "audit_log"));
	assert_false(plan_has(&t, "saml_provisioning"));
	licence_apply(&l, &caps, 3000, &t);
	plan_record(&t, &rec);
	assert_false(plan_has(&t, "audit_log"));
	plans_why(&rec, 1, t.devices, why);
	assert_string_equal(
		why, "needs the Pro plan; the licence for the Pro plan expired on 1970-01-01");
}

static void lists_of_vendor_keys(void **state)
{
	static const char *const bad[] = {
		"AAAA Example",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"nonsense here",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= "
		"0123456789012345678901234567890123456789012345678901234567890123x",
	};
	struct vendorkeys k = {.n = 0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(vendorkeys_parse(bad[i], "test", false, &k), -EINVAL);
	assert_int_equal(k.n, 0);
	assert_int_equal(vendorkeys_parse("", "test", false, &k), 0);
	assert_int_equal(vendorkeys_parse("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= A\n"
					  "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= B C",
					  "test", false, &k),
			 0);
	assert_int_equal(k.n, 2);
	assert_string_equal(k.keys[1].name, "B C");
	/* python3: hashlib.blake2b(bytes(32), digest_size=32).hexdigest()[:16] */
	assert_string_equal(k.keys[0].id, "89eb0d6a8a691dae");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_it_says),
		cmocka_unit_test(names_what_is_wrong),
		cmocka_unit_test(every_bit_is_signed),
		cmocka_unit_test(only_our_kind_of_token),
		cmocka_unit_test(where_and_when),
		cmocka_unit_test(the_later_word_wins),
		cmocka_unit_test(why_a_feature_is_on_or_off),
		cmocka_unit_test(lists_of_vendor_keys),
	};

	return cmocka_run_group_tests_name("licence", tests, make_keys, NULL);
}
