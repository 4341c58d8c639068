/* SPDX-License-Identifier: Apache-2.0 */
/* The form of a signed head: by openssl's signature, as a message and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/store/audithead.h"

/* Ed25519 of the seed 00 01 .. 1f, by openssl over the bytes that audithead.h draws. */
static const char public_hex[] = "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8";
static const char signature_hex[] =
	"8643923c8c89ba0728da1b5ae53a198fd813414614d02a04b642c1c684510253"
	"97adee6705a03370634bb6e3a2d52b1a1afb0e2ec560552cd4610ff6cae44406";

static struct audithead known(void)
{
	struct audithead head = {.seq = 812, .time_ms = 1800000000123, .kid = "56475aa75463474c"};

	assert_int_equal(uuid_parse("01900000-0000-7000-8000-00000000000a", &head.panel), 0);
	assert_int_equal(uuid_parse("01900000-0000-7000-8000-00000000000b", &head.tenant), 0);
	for (int i = 0; i < HASH_LEN; i++)
		head.hash[i] = (uint8_t)(0x40 + i);
	assert_int_equal(text_unhex(signature_hex, head.signature, SIGN_LEN), 0);
	return head;
}

static void openssl_signs_the_same(void **state)
{
	struct audithead head = known(), other;
	uint8_t public[SIGN_PUBLIC_LEN];

	(void)state;
	assert_int_equal(text_unhex(public_hex, public, sizeof(public)), 0);
	assert_true(audithead_is_signed(&head, public));
	/* Each thing that it says is under the signature; the kid only says where to look. */
#define CHANGED(change)                                                                            \
	do {                                                                                       \
		other = head;                                                                      \
		change;                                                                            \
		assert_false(audithead_is_signed(&other, public));                                 \
	} while (0)
	CHANGED(other.panel.b[15] ^= 1);
	CHANGED(other.tenant.b[0] ^= 1);
	CHANGED(other.seq++);
	CHANGED(other.seq ^= UINT64_C(1) << 63);
	CHANGED(other.time_ms--);
	CHANGED(other.hash[31] ^= 0x80);
	CHANGED(other.signature[0] ^= 1);
	CHANGED(other.signature[63] ^= 1);
	public[0] ^= 1;
	assert_false(audithead_is_signed(&head, public));
}

static void told_and_heard(void **state)
{
	struct audithead head = known(), heard;
	struct audithead_telling telling;

	(void)state;
	audithead_tell(&head, &telling);
	assert_string_equal(telling.pb.tenant, "01900000-0000-7000-8000-00000000000b");
	assert_int_equal(telling.pb.time->seconds, 1800000000);
	assert_int_equal(telling.pb.time->nanos, 123000000);
	assert_null(audithead_hear(&telling.pb, &heard));
	assert_memory_equal(&heard, &head, sizeof(head));
}

static void what_is_not_right_is_named(void **state)
{
	struct audithead head = known(), heard;
	struct audithead_telling telling;

	(void)state;
#define WRONG(field, change)                                                                       \
	do {                                                                                       \
		audithead_tell(&head, &telling);                                                   \
		change;                                                                            \
		assert_string_equal(audithead_hear(&telling.pb, &heard), field);                   \
	} while (0)
	WRONG("control_panel", telling.pb.control_panel = (char[]){""});
	WRONG("tenant", telling.pb.tenant = (char[]){"acme"});
	WRONG("seq", telling.pb.seq = UINT64_MAX);
	WRONG("time", telling.pb.time = NULL);
	WRONG("time", telling.time.nanos = 1);
	WRONG("time", telling.time.nanos = -1000000);
	WRONG("time", telling.time.seconds = INT64_MAX);
	WRONG("hash", telling.hash[63] = '\0');
	WRONG("hash", telling.hash[0] = 'g');
	WRONG("kid", telling.pb.kid = (char[]){""});
	WRONG("kid", telling.pb.kid = (char[]){"56475aa75463474c0"});
	WRONG("signature", telling.pb.signature.len = 63);
	/* A mark needs no more than a number and a hash. */
	audithead_tell(&head, &telling);
	telling.pb.signature.len = 0;
	telling.pb.control_panel = telling.pb.tenant = telling.pb.kid = (char[]){""};
	telling.pb.time = NULL;
	assert_null(audithead_hear(&telling.pb, &heard));
	assert_int_equal(heard.seq, 812);
	assert_memory_equal(heard.hash, head.hash, HASH_LEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openssl_signs_the_same),
		cmocka_unit_test(told_and_heard),
		cmocka_unit_test(what_is_not_right_is_named),
	};

	return sign_init() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
