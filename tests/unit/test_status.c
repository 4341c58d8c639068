/* SPDX-License-Identifier: Apache-2.0 */
/* A failure in all its forms; the bytes were made by protoc --encode=google.rpc.Status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"

static const char golden[] = "080812154f6e6c79203320646576696365733a20c39c6ec3af1a680a2874"
			     "7970652e676f6f676c65617069732e636f6d2f676f6f676c652e7270632e"
			     "4572726f72496e666f123c0a124445564943455f4341505f524541434845"
			     "44120c6d6573682e7175617a7a61721a0a0a056c696d69741201331a0c0a"
			     "04706c616e1204667265651a540a29747970652e676f6f676c6561706973"
			     "2e636f6d2f676f6f676c652e7270632e4261645265717565737412270a25"
			     "0a056c6162656c1208746f6f206c6f6e671a124445564943455f4341505f"
			     "524541434845441a360a28747970652e676f6f676c65617069732e636f6d"
			     "2f676f6f676c652e7270632e5265747279496e666f120a0a08080c1080ca"
			     "b5ee011a440a2b747970652e676f6f676c65617069732e636f6d2f676f6f"
			     "676c652e7270632e51756f74614661696c75726512150a130a0974656e61"
			     "6e743a7431120633206f662033";

static size_t golden_bytes(uint8_t *ret, size_t cap)
{
	size_t len = strlen(golden) / 2;

	assert_true(len <= cap);
	assert_int_equal(text_unhex(golden, ret, len), 0);
	return len;
}

static struct status sample(void)
{
	struct status s = {0};

	assert_int_equal(status_set(&s, ERR_DEVICE_CAP_REACHED, "Only %d devices: Ünï", 3),
			 ERR_DEVICE_CAP_REACHED);
	status_meta(&s, "limit", "%u", 3u);
	status_meta(&s, "plan", "pro");
	status_meta(&s, "plan", "free");
	status_field(&s, "label", "too %s", "long");
	status_retry(&s, 12500);
	status_quota(&s, "tenant:t1", "%d of %d", 3, 3);
	return s;
}

static void check_sample(const struct status *s)
{
	assert_int_equal(s->code, GRPC_RESOURCE_EXHAUSTED);
	assert_int_equal(s->err, ERR_DEVICE_CAP_REACHED);
	assert_string_equal(s->message, "Only 3 devices: Ünï");
	assert_int_equal(s->n_meta, 2);
	assert_string_equal(status_get(s, "limit"), "3");
	assert_string_equal(status_get(s, "plan"), "free");
	assert_null(status_get(s, "none"));
	assert_int_equal(s->n_fields, 1);
	assert_string_equal(s->fields[0].field, "label");
	assert_string_equal(s->fields[0].description, "too long");
	assert_int_equal(s->retry_ms, 12500);
	assert_string_equal(s->quota_subject, "tenant:t1");
	assert_string_equal(s->quota_description, "3 of 3");
}

static void encoded_as_protoc_does(void **state)
{
	struct status s = sample();
	uint8_t want[1024], *got = NULL;
	size_t want_len = golden_bytes(want, sizeof(want)), got_len = 0;

	(void)state;
	assert_int_equal(status_encode(&s, &got, &got_len), 0);
	assert_int_equal(got_len, want_len);
	assert_memory_equal(got, want, want_len);
	free(got);
	status_done(&s);
}

static void decoded_from_protoc(void **state)
{
	uint8_t bytes[1024];
	size_t len = golden_bytes(bytes, sizeof(bytes));
	struct status s, copy;

	(void)state;
	assert_int_equal(status_decode(bytes, len, &s), 0);
	check_sample(&s);
	assert_int_equal(status_copy(&s, &copy), 0);
	status_done(&s);
	check_sample(&copy);
	status_done(&copy);
	status_done(&copy);
}

static void cut_short_is_refused_or_shorter(void **state)
{
	uint8_t bytes[1024];
	size_t len = golden_bytes(bytes, sizeof(bytes));

	(void)state;
	for (size_t i = 0; i < len; i++) {
		/* On the heap, so that a read past the end is noticed. */
		uint8_t *cut = malloc(i ? i : 1);
		struct status s = {0};
		int r;

		assert_non_null(cut);
		memcpy(cut, bytes, i);
		r = status_decode(cut, i, &s);
		assert_true(r == 0 || r == -EBADMSG);
		status_done(&s);
		free(cut);
	}
}

static void every_flipped_bit_is_survived(void **state)
{
	uint8_t bytes[1024];
	size_t len = golden_bytes(bytes, sizeof(bytes));

	(void)state;
	for (size_t i = 0; i < len * 8; i++) {
		uint8_t *bad = malloc(len);
		struct status s = {0};

		assert_non_null(bad);
		memcpy(bad, bytes, len);
		bad[i / 8] ^= (uint8_t)(1 << i % 8);
		if (status_decode(bad, len, &s) == 0)
			status_done(&s);
		free(bad);
	}
}

static void foreign_details_are_kept(void **state)
{
	/* code 7; Any of an unknown type; unknown field 9; ErrorInfo of another domain */
	static const char hex[] = "0807"
				  "1a080a03782f7912010a"
				  "4a0161"
				  "1a3a0a28747970652e676f6f676c65617069732e636f6d2f676f6f676c652e72"
				  "70632e4572726f72496e666f120e0a094e4f545f464f554e44120178";
	uint8_t bytes[200];
	struct status s;

	(void)state;
	assert_int_equal(text_unhex(hex, bytes, strlen(hex) / 2), 0);
	assert_int_equal(status_decode(bytes, strlen(hex) / 2, &s), 0);
	assert_int_equal(s.code, GRPC_PERMISSION_DENIED);
	assert_int_equal(s.err, ERR_NONE);
	assert_null(s.message);
	/* Both details as they came, without the field that is none. */
	assert_int_equal(s.others_len, 10 + 60);
	assert_memory_equal(s.others, bytes + 2, 10);
	assert_memory_equal(s.others + 10, bytes + 15, 60);
	status_done(&s);
	assert_int_equal(status_decode("\x08\x63", 2, &s), 0);
	assert_int_equal(s.code, GRPC_UNKNOWN);
	assert_int_equal(status_decode("\x12\x02\xc3\x28", 4, &s), -EBADMSG);
	assert_int_equal(status_decode("\x12\x01\x00", 3, &s), -EBADMSG);
	assert_int_equal(status_decode("\x0b", 1, &s), -EBADMSG);
	assert_int_equal(status_decode("\x00\x00", 2, &s), -EBADMSG);
	assert_int_equal(status_decode("", 0, &s), 0);
	assert_int_equal(s.code, GRPC_OK);
}

static void json_form(void **state)
{
	struct status s = sample();
	char *json = status_json(&s);

	(void)state;
	assert_string_equal(
		json, "{\"code\":8,\"message\":\"Only 3 devices: Ünï\",\"details\":["
		      "{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\","
		      "\"reason\":\"DEVICE_CAP_REACHED\",\"domain\":\"mesh.quazzar\","
		      "\"metadata\":{\"limit\":\"3\",\"plan\":\"free\"}},"
		      "{\"@type\":\"type.googleapis.com/google.rpc.BadRequest\","
		      "\"fieldViolations\":[{\"field\":\"label\",\"description\":\"too long\","
		      "\"reason\":\"DEVICE_CAP_REACHED\"}]},"
		      "{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\","
		      "\"retryDelay\":\"12.500s\"},"
		      "{\"@type\":\"type.googleapis.com/google.rpc.QuotaFailure\","
		      "\"violations\":[{\"subject\":\"tenant:t1\",\"description\":\"3 of 3\"}]}]}");
	free(json);
	assert_int_equal(status_set(&s, ERR_NOT_FOUND, "no \"%s\"", "x"), ERR_NOT_FOUND);
	json = status_json(&s);
	assert_string_equal(json, "{\"code\":5,\"message\":\"no \\\"x\\\"\",\"details\":["
				  "{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\","
				  "\"reason\":\"NOT_FOUND\",\"domain\":\"mesh.quazzar\"}]}");
	free(json);
	status_done(&s);
	json = status_json(&s);
	assert_string_equal(json, "{\"code\":0,\"message\":\"\"}");
	free(json);
}

static void more_than_fits_is_dropped(void **state)
{
	struct status s = {0};
	char name[16];

	(void)state;
	status_set(&s, ERR_FIELD_INVALID, "%s", "");
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		status_meta(&s, name, "v");
		status_field(&s, name, "v");
	}
	assert_int_equal(s.n_meta, STATUS_MAX_META);
	assert_int_equal(s.n_fields, STATUS_MAX_FIELDS);
	/* Words that quote the status itself. */
	status_set(&s, ERR_INTERNAL, "was: %s", s.fields[3].field);
	assert_string_equal(s.message, "was: f3");
	assert_int_equal(s.n_fields, 0);
	status_done(&s);
}

static void words_are_cut_and_mended(void **state)
{
	char words[2 * STATUS_WORDS_MAX];
	struct status s = {0};

	(void)state;
	for (size_t i = 0; i + 2 < sizeof(words); i += 2)
		memcpy(words + i, "é", 3);
	status_set(&s, ERR_INTERNAL, "x%s", words);
	assert_int_equal(strlen(s.message), STATUS_WORDS_MAX - 1); /* no half of an é */
	assert_true(text_utf8_ok(s.message, strlen(s.message)));
	status_meta(&s, "k", "%s", "a\xff\xc3(\xe2\x82");
	assert_string_equal(status_get(&s, "k"), "a"
						 "??"
						 "("
						 "??");
	status_done(&s);
}

/* All that is set is as long as may be: far more than a header block takes. */
static void fits_what_carries_it(void **state)
{
	char words[STATUS_WORDS_MAX + 1], name[16];
	struct status s = {0};
	uint8_t *bytes;
	size_t len;

	(void)state;
	memset(words, 'w', STATUS_WORDS_MAX);
	words[STATUS_WORDS_MAX] = '\0';
	status_set(&s, ERR_FIELD_INVALID, "%s", words);
	for (int i = 0; i < STATUS_MAX_FIELDS; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		status_field(&s, name, "%s", words);
	}
	for (int i = 0; i < STATUS_MAX_META; i++) {
		snprintf(name, sizeof(name), "m%d", i);
		status_meta(&s, name, "%s", words);
	}
	status_quota(&s, "devices", "%s", words);
	assert_int_equal(status_fit(&s), 0);
	assert_int_equal(status_encode(&s, &bytes, &len), 0);
	free(bytes);
	assert_in_range(len, STATUS_ENCODED_MAX / 2, STATUS_ENCODED_MAX);
	assert_int_equal(s.err, ERR_FIELD_INVALID);
	assert_string_equal(s.message, words);
	assert_string_equal(s.meta[0].key, "m0");
	status_done(&s);
}

static void percent_coding(void **state)
{
	char *s = status_percent("100% Ünï\n~");

	(void)state;
	assert_string_equal(s, "100%25 %C3%9Cn%C3%AF%0A~");
	free(s);
	s = status_unpercent("100%25 %C3%9cn%C3%AF%0A~");
	assert_string_equal(s, "100% Ünï\n~");
	free(s);
	s = status_unpercent("%%4%zz%4");
	assert_string_equal(s, "%%4%zz%4");
	free(s);
	s = status_unpercent("a%00b");
	assert_string_equal(s, "a%00b");
	free(s);
	s = status_unpercent("a%ff\xc3[%C3%9C]");
	assert_string_equal(s, "a??[??]");
	free(s);
	s = status_percent(NULL);
	assert_string_equal(s, "");
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encoded_as_protoc_does),
		cmocka_unit_test(decoded_from_protoc),
		cmocka_unit_test(cut_short_is_refused_or_shorter),
		cmocka_unit_test(every_flipped_bit_is_survived),
		cmocka_unit_test(foreign_details_are_kept),
		cmocka_unit_test(json_form),
		cmocka_unit_test(more_than_fits_is_dropped),
		cmocka_unit_test(words_are_cut_and_mended),
		cmocka_unit_test(fits_what_carries_it),
		cmocka_unit_test(percent_coding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
