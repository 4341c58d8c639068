/* SPDX-License-Identifier: Apache-2.0 */
/* Tables, times, sizes and objects of the command line. */
#include <errno.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/cli/print.h"
#include "quazzar/mesh/v1/mesh.pb-c.h"

static void test_table(void **state)
{
	struct print_table t;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	print_table_init(&t, "LABEL|IP");
	print_cell(&t, "a");
	print_cell(&t, NULL);
	print_cell(&t, "longer");
	print_cellf(&t, "10.%d", 1);
	/* Wide and combining characters count as the terminal shows them. */
	print_cell(&t, "\u624b\u673a");
	print_cell(&t, "x");
	print_cell(&t, "e\u0301\x1b[2J");
	print_cell(&t, "");
	print_table_done(&t, out);
	fclose(out);
	assert_string_equal(text, "LABEL   IP\n"
				  "a       -\n"
				  "longer  10.1\n"
				  "\u624b\u673a    x\n"
				  "e\u0301?[2J   -\n");
	free(text);
}

static void harmless(const char *in, const char *want)
{
	char *text = print_harmless(in);

	assert_string_equal(text, want);
	free(text);
}

static void test_harmless(void **state)
{
	(void)state;
	harmless("", "");
	harmless("Ren\u00e9e's <phone> \U0001f4f1", "Ren\u00e9e's <phone> \U0001f4f1");
	harmless("a\nb\tc\x7f", "a?b?c?");
	harmless("\xc2\x85\xc2\x9b", "??");
	harmless("\u202e\u2066\u200f\ufeff\u2028\u061c", "??????");
	harmless("\xff\xc3", "??");
	harmless("\xed\xa0\x80", "???");
}

static void test_ago(void **state)
{
	static const struct {
		int64_t then;
		const char *want;
	} rows[] = {
		{1000000000, "now"},      {999999001, "now"},       {999999000, "1 s ago"},
		{999881000, "119 s ago"}, {999880000, "2 min ago"}, {992831000, "119 min ago"},
		{992800000, "2 h ago"},   {827200000, "2 d ago"},   {1000005000, "in 5 s"},
		{1028800000, "in 8 h"},
	};
	char text[32];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(print_ago(rows[i].then, 1000000000, text), rows[i].want);
}

static void test_bytes(void **state)
{
	char text[32];

	(void)state;
	assert_string_equal(print_bytes(0, text), "0 B");
	assert_string_equal(print_bytes(1023, text), "1023 B");
	assert_string_equal(print_bytes(1024, text), "1.0 KiB");
	assert_string_equal(print_bytes(1258291, text), "1.2 MiB");
	assert_string_equal(print_bytes(UINT64_MAX, text), "16.0 EiB");
}

static void test_enum(void **state)
{
	const ProtobufCEnumDescriptor *d = &pb__device_status__descriptor;
	char text[64];
	int value;

	(void)state;
	assert_string_equal(print_enum(d, 5, "DEVICE_STATUS_", text), "not-applied");
	assert_string_equal(print_enum(d, 99, "DEVICE_STATUS_", text), "99");
	assert_int_equal(print_enum_parse(d, "Not-Applied", "DEVICE_STATUS_", &value), 0);
	assert_int_equal(value, 5);
	assert_int_equal(print_enum_parse(d, "unspecified", "DEVICE_STATUS_", &value), -EINVAL);
	assert_int_equal(print_enum_parse(d, "", "DEVICE_STATUS_", &value), -EINVAL);
}

static void json(const ProtobufCMessage *msg, const char *want)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(print_json(out, "qmesh.x/1", msg), 0);
	fclose(out);
	assert_string_equal(text, want);
	free(text);
}

static void test_json(void **state)
{
	Pb__GetStateRequest empty = PB__GET_STATE_REQUEST__INIT;
	Pb__RefreshResponse one = PB__REFRESH_RESPONSE__INIT;

	(void)state;
	one.generation = 7;
	json(&empty.base, "{\"schema\":\"qmesh.x/1\"}\n");
	json(&one.base, "{\"schema\":\"qmesh.x/1\",\"generation\":\"7\"}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table), cmocka_unit_test(test_harmless),
		cmocka_unit_test(test_ago),   cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_enum),  cmocka_unit_test(test_json),
	};

	setlocale(LC_ALL, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
