/* SPDX-License-Identifier: Apache-2.0 */
/* Budget, alignment, zeroes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/arena.h"

static void aligned_zeroed_and_apart(void **state)
{
	struct arena a;
	uint8_t *last = NULL;

	(void)state;
	arena_init(&a, 1 << 20);
	for (size_t len = 0; len < 300; len++) {
		uint8_t *p = arena_alloc(&a, len);

		assert_non_null(p);
		assert_ptr_not_equal(p, last);
		assert_int_equal((uintptr_t)p % 16, 0);
		for (size_t i = 0; i < len; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, len);
		last = p;
	}
	arena_done(&a);
	assert_int_equal(a.used, 0);
	/* Again, and memory that was used before is zero once more. */
	last = arena_alloc(&a, 64);
	assert_int_equal(last[63], 0);
	arena_done(&a);
	arena_done(&a);
}

static void the_budget_holds(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a, 1024);
	assert_null(arena_alloc(&a, 1025));
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_alloc(&a, SIZE_MAX - 8));
	assert_non_null(arena_alloc(&a, 1000));
	assert_null(arena_alloc(&a, 17));
	assert_non_null(arena_alloc(&a, 16));
	assert_null(arena_alloc(&a, 0));
	assert_null(arena_strdup(&a, "x"));
	assert_null(arena_printf(&a, "%d", 7));
	arena_done(&a);
}

static void bigger_than_a_chunk(void **state)
{
	struct arena a;
	char *small, *big;

	(void)state;
	arena_init(&a, 10 << 20);
	small = arena_strdup(&a, "small");
	big = arena_alloc(&a, 5 << 20);
	assert_non_null(big);
	memset(big, 'x', 5 << 20);
	assert_string_equal(small, "small");
	arena_done(&a);
}

static void copies(void **state)
{
	struct arena a;
	uint32_t *n;

	(void)state;
	arena_init(&a, 4096);
	assert_string_equal(arena_strdup(&a, ""), "");
	assert_string_equal(arena_strndup(&a, "hello", 3), "hel");
	assert_string_equal(arena_strndup(&a, "hello", 50), "hello");
	assert_string_equal(arena_printf(&a, "%s-%d", "a", 7), "a-7");
	assert_memory_equal(arena_memdup(&a, "\x00\x01", 2), "\x00\x01", 2);
	assert_non_null(arena_memdup(&a, NULL, 0));
	n = arena_new(&a, uint32_t);
	assert_int_equal(*n, 0);
	arena_done(&a);
}

static void for_protobuf_c(void **state)
{
	struct arena a;
	ProtobufCAllocator *pb;
	void *p;

	(void)state;
	arena_init(&a, 100);
	pb = arena_pb(&a);
	p = pb->alloc(pb->allocator_data, 50);
	assert_non_null(p);
	pb->free(pb->allocator_data, p);
	memset(p, 1, 50);
	assert_null(pb->alloc(pb->allocator_data, 60));
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aligned_zeroed_and_apart), cmocka_unit_test(the_budget_holds),
		cmocka_unit_test(bigger_than_a_chunk),      cmocka_unit_test(copies),
		cmocka_unit_test(for_protobuf_c),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
