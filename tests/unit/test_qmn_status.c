/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The phone's reading of a call's end, against statuses as the server's own
 * code writes them.
 */
#include "client/mobile/qmn_status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"

static struct qmn_text text(const char *s)
{
	return (struct qmn_text){s, s ? strlen(s) : 0};
}

/* Test-side base64, padded or not. */
static char *base64(const uint8_t *p, size_t len, bool pad)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *out = malloc(len * 4 / 3 + 8);
	size_t n = 0;

	assert_non_null(out);
	for (size_t i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < len ? (uint32_t)p[i + 1] << 8 : 0) |
			     (i + 2 < len ? p[i + 2] : 0);
		size_t have = len - i >= 3 ? 4 : len - i + 1;

		for (size_t k = 0; k < 4; k++)
			if (k < have)
				out[n++] = digits[v >> (18 - 6 * k) & 63];
			else if (pad)
				out[n++] = '=';
	}
	out[n] = '\0';
	return out;
}

static void parse(const struct status *from, bool pad, struct qmn_status *to)
{
	struct qmn_status_headers headers = {0};
	uint8_t *bytes;
	size_t len;
	char *message = status_percent(from->message), *details, code[4];

	assert_int_equal(status_encode(from, &bytes, &len), 0);
	details = base64(bytes, len, pad);
	snprintf(code, sizeof(code), "%d", (int)from->code);
	headers.status = text(code);
	headers.message = text(message);
	headers.details = text(details);
	qmn_status_parse(&headers, to);
	free(message);
	free(bytes);
	free(details);
}

static void test_label_taken(void **state)
{
	struct status s = {0};
	struct qmn_status got;

	(void)state;
	status_set(&s, ERR_LABEL_TAKEN, "\"Renée\" is taken; 100%% sure");
	status_meta(&s, "suggestion", "renee-2");
	for (int pad = 0; pad < 2; pad++) {
		parse(&s, pad, &got);
		assert_int_equal(got.code, GRPC_ALREADY_EXISTS);
		assert_string_equal(got.message, "\"Renée\" is taken; 100% sure");
		assert_string_equal(got.reason, "LABEL_TAKEN");
		assert_string_equal(qmn_status_get(&got, "suggestion"), "renee-2");
		assert_null(qmn_status_get(&got, "other"));
	}
	status_done(&s);
}

static void test_retry_and_field(void **state)
{
	struct status s = {0};
	struct qmn_status got;

	(void)state;
	status_set(&s, ERR_RATE_LIMITED, "5 devices a minute");
	status_retry(&s, 12345);
	parse(&s, true, &got);
	assert_int_equal(got.code, GRPC_RESOURCE_EXHAUSTED);
	assert_int_equal(got.retry_ms, 12345);
	status_done(&s);
	status_set(&s, ERR_FIELD_INVALID, "wait_ms is too large");
	status_field(&s, "wait_ms", "at most 5000");
	parse(&s, false, &got);
	assert_string_equal(got.field, "wait_ms");
	assert_string_equal(got.field_description, "at most 5000");
	status_done(&s);
}

static void test_missing(void **state)
{
	struct qmn_status_headers headers = {0};
	struct qmn_status got;

	(void)state;
	qmn_status_parse(&headers, &got);
	assert_int_equal(got.code, GRPC_UNKNOWN);
	assert_string_equal(got.message, "");
	headers.status = text("0");
	qmn_status_parse(&headers, &got);
	assert_int_equal(got.code, 0);
	headers.status = text("17");
	qmn_status_parse(&headers, &got);
	assert_int_equal(got.code, GRPC_UNKNOWN);
	headers.status = text("5");
	headers.details = text("not base64!");
	headers.message = text("%4");
	qmn_status_parse(&headers, &got);
	assert_int_equal(got.code, GRPC_NOT_FOUND);
	assert_string_equal(got.message, "%4");
	assert_string_equal(got.reason, "");
}

/* A text longer than there is room for ends at a whole character. */
static void test_long_message(void **state)
{
	struct qmn_status_headers headers = {0};
	struct qmn_status got;
	char message[4000];
	size_t len;

	(void)state;
	for (size_t lead = 0; lead < 3; lead++) {
		strcpy(message, "xx");
		message[lead] = '\0';
		for (int i = 0; i < 300; i++)
			strcat(message, "%E2%82%AC");
		headers.message = text(message);
		qmn_status_parse(&headers, &got);
		len = strlen(got.message);
		assert_true(len < sizeof(got.message) && len > sizeof(got.message) - 8);
		assert_int_equal((len - lead) % 3, 0);
	}
}

/* Every prefix and every turned bit of real details: no crash, no runaway text. */
static void test_mutations(void **state)
{
	struct status s = {0};
	struct qmn_status_headers headers = {0};
	struct qmn_status got;
	uint8_t *bytes;
	size_t len;

	(void)state;
	status_set(&s, ERR_LABEL_TAKEN, "taken");
	status_meta(&s, "suggestion", "renee-2");
	status_retry(&s, 1000);
	status_field(&s, "label", "taken");
	assert_int_equal(status_encode(&s, &bytes, &len), 0);
	headers.status = text("6");
	for (size_t bit = 0; bit < 8 * len; bit++) {
		char *details;

		bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		details = base64(bytes, len, true);
		headers.details = text(details);
		qmn_status_parse(&headers, &got);
		assert_int_equal(got.code, 6);
		free(details);
		bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	for (size_t cut = 0; cut <= len; cut++) {
		char *details = base64(bytes, cut, false);

		headers.details = text(details);
		qmn_status_parse(&headers, &got);
		free(details);
	}
	assert_string_equal(got.reason, "LABEL_TAKEN");
	free(bytes);
	status_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_label_taken), cmocka_unit_test(test_retry_and_field),
		cmocka_unit_test(test_missing),     cmocka_unit_test(test_long_message),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
