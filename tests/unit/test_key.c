/* SPDX-License-Identifier: Apache-2.0 */
/* Keys against RFC 7748 and the PSK vectors that Python's hashlib.blake2b gave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "base/key.h"
#include "base/sign.h"
#include "base/text.h"

static struct key from_hex(const char *hex)
{
	struct key k;

	assert_int_equal(key_parse_hex(hex, &k), 0);
	return k;
}

static void made_keys_are_clamped_and_fit(void **state)
{
	struct key private, public, again;

	(void)state;
	for (int i = 0; i < 64; i++) {
		key_make(&private, &public);
		assert_int_equal(private.b[0] & 7, 0);
		assert_int_equal(private.b[31] & 0xc0, 0x40);
		key_public(&private, &again);
		assert_true(key_equal(&public, &again));
		assert_true(key_usable(&public));
	}
	key_wipe(&private);
	assert_true(key_is_zero(&private));
	assert_false(key_is_zero(&public));
}

static void public_half_of_rfc7748(void **state)
{
	/* Section 6.1. */
	struct key alice =
		from_hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
	struct key want =
		from_hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
	struct key public;

	(void)state;
	key_public(&alice, &public);
	assert_true(key_equal(&public, &want));
}

static void text_both_ways(void **state)
{
	char text[KEY_TEXT_LEN + 1];
	struct key k, back;

	(void)state;
	for (int i = 0; i < KEY_LEN; i++)
		k.b[i] = (uint8_t)i;
	assert_string_equal(key_text(&k, text), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
	assert_int_equal(key_parse(text, &back), 0);
	assert_true(key_equal(&k, &back));
}

static void text_is_read_strictly(void **state)
{
	static const char *const bad[] = {
		"",
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8==",
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=",
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8A",
		"-AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
		" AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==",
	};
	struct key k = {{42}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(key_parse(bad[i], &k), -EINVAL);
	assert_int_equal(key_parse_hex("00", &k), -EINVAL);
	assert_int_equal(k.b[0], 42);
}

/* The points of low order, and spellings of a coordinate that no peer sends. */
static void unusable_keys(void **state)
{
	static const char *const bad[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0900000000000000000000000000000000000000000000000000000000000080",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct key k = from_hex(bad[i]);

		assert_false(key_usable(&k));
	}
}

static void check_psk(const char *node, uint32_t psk_version, const char *device,
		      uint32_t key_version, const char *want_k_n, const char *want_psk)
{
	struct key k_psk, k_n, psk, want;
	uint8_t id[16];

	for (int i = 0; i < KEY_LEN; i++)
		k_psk.b[i] = (uint8_t)i;
	assert_int_equal(text_unhex(node, id, sizeof(id)), 0);
	key_psk_node(&k_psk, id, psk_version, &k_n);
	want = from_hex(want_k_n);
	assert_true(key_equal(&k_n, &want));
	assert_int_equal(text_unhex(device, id, sizeof(id)), 0);
	key_psk_device(&k_n, id, key_version, &psk);
	want = from_hex(want_psk);
	assert_true(key_equal(&psk, &want));
}

static void psk_vectors(void **state)
{
	(void)state;
	/* docs/protocol.md */
	check_psk("0192f0c1aa5570008000000000000001", 1, "0192f0c1aa5570008000000000000002", 1,
		  "8d96831825a4002b2b0aae80dddf04ba8972b8a61674ae052c6532fe83c43ab9",
		  "dbebfbec91a7c2ba8f316d81aca54e427cbffd3af113222aad3018405768343c");
	/* Byte order of the versions shows here. */
	check_psk("0193a5b4c0de7abc8def0123456789ab", 1, "0193a5b4c0de7fff8fffffffffffffff",
		  0x01020304, "0313be4e2f1087e1e6606a694176a6bef8939a2ae6a4d945adf5a9b4183b446d",
		  "a72013f203f6d2cdd0c4fe8322954b07f0beadcbf0d8a651ea2e37450ec9655d");
}

/* --- what a thread leaves behind --- */

enum { STACK_LEN = 1 << 20 };

static const uint8_t mark[16] = "rests of a call";

__attribute__((noinline)) static void leave_behind(void)
{
	uint8_t deep[KEY_STACK_LEN - 8192];

	for (size_t i = 0; i < sizeof(deep); i++)
		deep[i] = mark[i % sizeof(mark)];
	__asm__ volatile("" : : "r"(deep) : "memory");
}

struct leaver {
	bool wipes;
	unsigned registers; /* that still hold the mark */
};

static void *leaver(void *arg)
{
	struct leaver *l = arg;

	leave_behind();
#if defined(__x86_64__)
	uint8_t low[16], high[16] = {0};
	bool wide = __builtin_cpu_supports("avx512f");

	__asm__ volatile("movdqu %0, %%xmm7" : : "m"(mark) : "xmm7");
	if (wide)
		__asm__ volatile("vmovdqu64 %0, %%xmm17" : : "m"(mark));
	if (l->wipes)
		key_wipe_stack();
	__asm__ volatile("movdqu %%xmm7, %0" : "=m"(low));
	if (wide)
		__asm__ volatile("vmovdqu64 %%xmm17, %0" : "=m"(high));
	l->registers =
		(memcmp(low, mark, sizeof(low)) == 0) + (memcmp(high, mark, sizeof(high)) == 0);
	memset(low, 0, sizeof(low));
	memset(high, 0, sizeof(high));
	__asm__ volatile("" : : "r"(low), "r"(high) : "memory");
#else
	if (l->wipes)
		key_wipe_stack();
#endif
	return NULL;
}

/* Places on the thread's stack that hold the mark after it has ended. */
static size_t rests(struct leaver *l)
{
	uint8_t *stack =
		mmap(NULL, STACK_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t n = 0;
	pthread_attr_t attr;
	pthread_t thread;

	assert_ptr_not_equal(stack, MAP_FAILED);
	assert_int_equal(pthread_attr_init(&attr), 0);
	assert_int_equal(pthread_attr_setstack(&attr, stack, STACK_LEN), 0);
	assert_int_equal(pthread_create(&thread, &attr, leaver, l), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	for (uint8_t *at = stack, *end = stack + STACK_LEN; at;
	     at = memmem(at, (size_t)(end - at), mark, sizeof(mark)), at = at ? at + 1 : NULL)
		n++;
	pthread_attr_destroy(&attr);
	munmap(stack, STACK_LEN);
	return n - 1;
}

static void stack_and_registers_are_wiped(void **state)
{
	struct leaver careless = {.wipes = false}, careful = {.wipes = true};

	(void)state;
	assert_true(rests(&careless) > 1000);
	assert_int_equal(rests(&careful), 0);
	assert_int_equal(careful.registers, 0);
#if defined(__x86_64__)
	assert_true(careless.registers > 0);
#endif
}

static int init(void **state)
{
	(void)state;
	return sign_init();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(made_keys_are_clamped_and_fit),
		cmocka_unit_test(public_half_of_rfc7748),
		cmocka_unit_test(text_both_ways),
		cmocka_unit_test(text_is_read_strictly),
		cmocka_unit_test(unusable_keys),
		cmocka_unit_test(psk_vectors),
		cmocka_unit_test(stack_and_registers_are_wiped),
	};

	return cmocka_run_group_tests(tests, init, NULL);
}
