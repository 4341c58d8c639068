/* SPDX-License-Identifier: Apache-2.0 */
/* wgmap.c against the plain list that it is kept equal to. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/wg/wgmap.h"

enum { KEYS = 24, ROUNDS = 3000 };

static unsigned seed = 11;

static unsigned pick(unsigned n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 16) % n;
}

static struct key key_of(unsigned i)
{
	struct key k = {{0}};

	k.b[7] = (uint8_t)i;
	k.b[31] = 3;
	return k;
}

/* IPv4 and IPv6 in turn; the same first bytes in both. */
static struct cidr prefix_of(unsigned i)
{
	struct cidr c = {.family = i % 2 ? CIDR_V4 : CIDR_V6, .bits = i % 2 ? 32 : 128};

	c.addr[0] = 10;
	c.addr[3] = (uint8_t)i;
	return c;
}

/* Key i has prefix i of those that it has at all. */
struct side {
	bool there[KEYS], has_prefix[KEYS];
	uint16_t keepalive[KEYS];
};

static void add(struct wg_list *l, const struct side *s, unsigned i)
{
	const struct cidr prefix = prefix_of(i);
	const struct key key = key_of(i);
	struct wg_peer *p = wglist_add_peer(l, &key);

	assert_non_null(p);
	p->keepalive_s = s->keepalive[i];
	p->psk.b[2] = (uint8_t)s->keepalive[i];
	if (s->has_prefix[i])
		assert_int_equal(wglist_add_prefix(l, &prefix), 0);
}

static void roll(struct side *s, unsigned i)
{
	s->there[i] = pick(3) != 0;
	s->has_prefix[i] = pick(4) != 0;
	s->keepalive[i] = (uint16_t)pick(3);
}

static void assert_is(const struct wgmap *m, const struct side *s)
{
	size_t n = 0;

	for (unsigned i = 0; i < KEYS; i++) {
		const struct cidr prefix = prefix_of(i);
		const struct key key = key_of(i);
		const struct wgmap_peer *p = wgmap_find(m, &key);
		const struct wgmap_peer *holder = wgmap_holder(m, &prefix);

		n += s->there[i];
		assert_int_equal(p != NULL, s->there[i]);
		assert_ptr_equal(holder, s->there[i] && s->has_prefix[i] ? p : NULL);
		if (!p)
			continue;
		assert_int_equal(p->keepalive_s, s->keepalive[i]);
		assert_int_equal(p->psk.b[2], s->keepalive[i]);
		assert_int_equal(p->n_prefixes, s->has_prefix[i]);
	}
	assert_int_equal(wgmap_count(m), n);
}

static void test_kept_equal(void **state)
{
	struct wg_list empty = {0};
	struct wgmap *m = NULL;
	struct side now = {0};

	(void)state;
	assert_int_equal(wgmap_new(&empty, &m), 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct wg_list before = {0}, after = {0};

		for (unsigned n = pick(4); n < 5; n++) {
			unsigned i = pick(KEYS);
			struct side then = now;
			const struct key key = key_of(i);

			if (wglist_find(&before, &key) || wglist_find(&after, &key))
				continue;
			roll(&now, i);
			if (then.there[i])
				add(&before, &then, i);
			if (now.there[i])
				add(&after, &now, i);
		}
		assert_int_equal(wgmap_replace(m, &before, &after), 0);
		assert_is(m, &now);
		wglist_done(&before);
		wglist_done(&after);
	}
	wgmap_free(m);
}

static void test_twice(void **state)
{
	struct side s = {.there = {[1] = true}, .has_prefix = {[1] = true, [2] = true}};
	const struct cidr prefix = prefix_of(1);
	struct wg_list l = {0}, empty = {0};
	struct wgmap *m = NULL;

	(void)state;
	add(&l, &s, 1);
	add(&l, &s, 2);
	assert_int_equal(wgmap_new(&l, &m), 0);
	/* Not there, there already, and gone with a prefix left. */
	assert_int_equal(wgmap_replace(m, &empty, &l), -EEXIST);
	wgmap_free(m);
	assert_int_equal(wgmap_new(&empty, &m), 0);
	assert_int_equal(wgmap_replace(m, &l, &empty), -ENOENT);
	wgmap_free(m);
	assert_int_equal(wgmap_new(&l, &m), 0);
	l.peers[0].n_prefixes = 0;
	assert_int_equal(wgmap_replace(m, &l, &empty), -ENOENT);
	wgmap_free(m);
	l.peers[0].n_prefixes = 1;
	assert_int_equal(wglist_add_prefix(&l, &prefix), 0);
	assert_int_equal(wgmap_new(&l, &m), -EEXIST);
	l.peers[1].n_prefixes = 1;
	add(&l, &s, 1);
	assert_int_equal(wgmap_new(&l, &m), -EEXIST);
	wglist_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept_equal),
		cmocka_unit_test(test_twice),
	};

	return cmocka_run_group_tests_name("wgmap", tests, NULL, NULL);
}
