/* SPDX-License-Identifier: Apache-2.0 */
/* Rows for other programs: no cell may run in a spreadsheet, none may break a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "gateway/export.h"
#include "gen/rpc/mesh_service.h"
#include "quazzar/mesh/v1/mesh.pb-c.h"

static const struct method *const audit = &mesh_service_methods[METHOD_MESH_LIST_AUDIT];
static const struct method *const ca = &mesh_service_methods[METHOD_MESH_GET_MESH_CA];
static char actor[] = "=cmd|'/c calc'!A1", object[] = "a \"b\",\nc", action[] = "device.create";

static void rows(enum export_form form, struct text *out)
{
	Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Pb__AuditEntry one = PB__AUDIT_ENTRY__INIT, two = PB__AUDIT_ENTRY__INIT;
	Pb__AuditEntry *entries[] = {&one, &two};
	Pb__ListAuditResponse list = PB__LIST_AUDIT_RESPONSE__INIT;

	one.seq = 7;
	one.time = &at;
	one.actor = actor;
	one.object = object;
	one.action = action;
	list.n_entries = 2;
	list.entries = entries;
	assert_int_equal(export_body(&list.base, "entries", form, out), 0);
}

static void test_csv(void **state)
{
	_cleanup_(text_done) struct text out = TEXT_INIT(10000);

	(void)state;
	rows(EXPORT_CSV, &out);
	assert_string_equal(out.s,
			    "\"seq\",\"time\",\"actor_id\",\"actor\",\"action\",\"object_id\","
			    "\"object\",\"from\",\"request_id\",\"result\",\"hash\"\r\n"
			    "\"7\",\"1970-01-01T00:00:00Z\",\"\",\"'=cmd|'/c calc'!A1\","
			    "\"device.create\",\"\",\"a \"\"b\"\",\nc\",\"\",\"\",\"\",\"\"\r\n"
			    "\"0\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\"\r\n");
}

static void test_formula_starts(void **state)
{
	static const char *const starts[] = {"=", "+", "-", "@", "\t", "\r"};

	(void)state;
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		_cleanup_(text_done) struct text out = TEXT_INIT(10000);
		char want[16];

		actor[0] = starts[i][0];
		rows(EXPORT_CSV, &out);
		snprintf(want, sizeof(want), ",\"'%c", starts[i][0]);
		assert_non_null(strstr(out.s, want));
	}
	actor[0] = '=';
}

/* As Japanese spreadsheets read them. */
static void test_wide_formula_starts(void **state)
{
	static const char *const starts[] = {"\xef\xbc\x9d", "\xef\xbc\x8b", "\xef\xbc\x8d",
					     "\xef\xbc\xa0"};
	char before[4];

	(void)state;
	memcpy(before, actor, 3);
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		_cleanup_(text_done) struct text out = TEXT_INIT(10000);
		char want[16];

		memcpy(actor, starts[i], 3);
		rows(EXPORT_CSV, &out);
		snprintf(want, sizeof(want), ",\"'%s", starts[i]);
		assert_non_null(strstr(out.s, want));
	}
	memcpy(actor, before, 3);
}

static void test_ndjson(void **state)
{
	_cleanup_(text_done) struct text out = TEXT_INIT(10000);
	size_t lines = 0;

	(void)state;
	rows(EXPORT_NDJSON, &out);
	for (const char *p = out.s; *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 2);
	assert_int_equal(strncmp(out.s, "{\"seq\":\"7\",\"time\":\"1970-01-01T00:00:00Z\",", 41),
			 0);
}

static void test_form(void **state)
{
	enum export_form form;

	(void)state;
	assert_true(export_form_of(audit, NULL, &form));
	assert_int_equal(form, EXPORT_JSON);
	assert_true(export_form_of(audit, "page_size=1&format=csv", &form));
	assert_int_equal(form, EXPORT_CSV);
	assert_true(export_form_of(audit, "format=ndjson&page_size=1", &form));
	assert_int_equal(form, EXPORT_NDJSON);
	assert_true(export_form_of(audit, "formats=x", &form));
	assert_false(export_form_of(audit, "format=xml", &form));
	assert_false(export_form_of(audit, "format=", &form));
	assert_false(export_form_of(audit, "format=csvx", &form));
}

/* Each method has the forms that make sense of it, and a query names none of another's. */
static void test_form_of_whom(void **state)
{
	const struct method *nodes = &mesh_service_methods[METHOD_MESH_LIST_NODES];
	enum export_form form;

	(void)state;
	assert_true(export_form_of(ca, "format=pem", &form));
	assert_int_equal(form, EXPORT_PEM);
	assert_true(export_form_of(ca, "format=json", &form));
	assert_int_equal(form, EXPORT_JSON);
	assert_false(export_form_of(ca, "format=csv", &form));
	assert_false(export_form_of(ca, "format=ndjson", &form));
	assert_false(export_form_of(audit, "format=pem", &form));
	assert_string_equal(export_forms(audit), "json, ndjson or csv");
	assert_string_equal(export_forms(ca), "json or pem");
	assert_null(export_forms(nodes));
	assert_false(export_form_of(nodes, "format=json", &form));
}

static void test_pem(void **state)
{
	_cleanup_(text_done) struct text out = TEXT_INIT(10000);
	Pb__GetMeshCaResponse answer = PB__GET_MESH_CA_RESPONSE__INIT;
	Pb__ListAuditResponse list = PB__LIST_AUDIT_RESPONSE__INIT;

	(void)state;
	answer.pem = (char *)"-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n";
	assert_int_equal(export_body(&answer.base, NULL, EXPORT_PEM, &out), 0);
	assert_string_equal(out.s, answer.pem);
	assert_string_equal(export_type(EXPORT_PEM), "application/x-x509-ca-cert");
	assert_string_equal(export_disposition(EXPORT_PEM),
			    "attachment; filename=\"quazzar-mesh.crt\"");
	assert_null(export_disposition(EXPORT_JSON));
	assert_int_equal(export_body(&list.base, NULL, EXPORT_PEM, &out), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_csv),
		cmocka_unit_test(test_formula_starts),
		cmocka_unit_test(test_wide_formula_starts),
		cmocka_unit_test(test_ndjson),
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_form_of_whom),
		cmocka_unit_test(test_pem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
