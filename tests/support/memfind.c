/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks for many strings in another process's memory, in one pass over what it really has there:
 *
 *   memfind PID     "R LOW HIGH" and "N HEX" lines on stdin, a line "NUMBER ADDRESS HEX" for each
 *                   finding, with the bytes around; the number counts the N lines
 *   memfind plant   reads one line, keeps it on the heap, in the dead part of a thread's stack and
 *                   of its own, says "ready" and waits for the end of stdin: what a search must
 * find
 *
 * Whose a place is, tests/attack/memscan.py says. The first eight bytes of each string are hashed;
 * a place whose hash is nobody's costs a nanosecond.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

#define PAGE 4096u
#define PAGES_AT_ONCE 1024u
#define AROUND 48u
#define KEY 8u
#define NEEDLE_MAX 512u
#define HASH_BITS 20
#define HASHES (1u << HASH_BITS)
#define DEEP 32768 /* out of the way of what the thread calls next */

struct needle {
	uint8_t *bytes;
	size_t len;
	int next; /* of the same hash; -1 */
};

struct search {
	struct needle *needles;
	size_t n;
	int first[HASHES]; /* -1: nobody's */
	uint8_t taken[HASHES / 8];
	uint64_t (*regions)[2];
	size_t n_regions;
	int mem, map;
	uint64_t n_bytes;
};

static inline uint32_t hash(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, KEY);
	return (uint32_t)((v * 0x9e3779b97f4a7c15u) >> (64 - HASH_BITS));
}

static void tell(const uint8_t *low, const uint8_t *high, const uint8_t *at, uint64_t address,
		 int number)
{
	const uint8_t *from = (size_t)(at - low) > AROUND ? at - AROUND : low;
	const uint8_t *to = (size_t)(high - at) > AROUND ? at + AROUND : high;

	printf("%d %" PRIx64 " ", number, address);
	for (; from < to; from++)
		printf("%02x", *from);
	putchar('\n');
}

/* Places from 0 on, below fresh; what lies behind serves only as the end of a string. */
__attribute__((no_sanitize("address", "undefined"), optimize("O2"))) static void look(
	const struct search *s, const uint8_t *p, size_t len, size_t fresh, uint64_t address)
{
	for (size_t i = 0; i < fresh && i + KEY <= len; i++) {
		uint32_t h = hash(p + i);

		if (!(s->taken[h >> 3] & (1u << (h & 7))))
			continue;
		for (int k = s->first[h]; k >= 0; k = s->needles[k].next)
			if (s->needles[k].len <= len - i &&
			    memcmp(p + i, s->needles[k].bytes, s->needles[k].len) == 0)
				tell(p, p + len, p + i, address + i, k);
	}
}

/* A run of pages that are there. */
static void look_at_run(struct search *s, uint64_t low, uint64_t high)
{
	static uint8_t block[PAGES_AT_ONCE * PAGE + NEEDLE_MAX];

	while (low < high) {
		size_t fresh = high - low < PAGES_AT_ONCE * PAGE ? (size_t)(high - low)
								 : PAGES_AT_ONCE * PAGE;
		size_t want = high - low < sizeof(block) ? (size_t)(high - low) : sizeof(block);
		ssize_t got = pread(s->mem, block, want, (off_t)low);

		if (got > 0)
			look(s, block, (size_t)got, fresh, low);
		s->n_bytes += fresh;
		low += fresh;
	}
}

/* Present, or swapped out: proc(5), /proc/PID/pagemap. */
static void look_at(struct search *s, uint64_t low, uint64_t high)
{
	static uint64_t entries[8192];
	uint64_t run = 0;

	for (uint64_t at = low; at < high;) {
		size_t n = (size_t)((high - at) / PAGE);
		ssize_t got;

		n = n < ARRAY_LEN(entries) ? n : ARRAY_LEN(entries);
		got = pread(s->map, entries, n * sizeof(*entries),
			    (off_t)(at / PAGE * sizeof(*entries)));
		if (got <= 0)
			break;
		n = (size_t)got / sizeof(*entries);
		for (size_t i = 0; i < n; i++, at += PAGE) {
			if (entries[i] >> 62) {
				run = run ? run : at;
			} else if (run) {
				look_at_run(s, run, at);
				run = 0;
			}
		}
	}
	if (run)
		look_at_run(s, run, high);
}

static void *grow(void *p, size_t n, size_t each)
{
	void *more = n & (n - 1) ? p : realloc(p, (n ? 2 * n : 1) * each);

	if (!more) {
		perror("memfind");
		exit(1);
	}
	return more;
}

static int add_needle(struct search *s, const char *text)
{
	size_t len = strcspn(text, "\n") / 2;
	struct needle *needle;
	uint32_t h;

	if (len < KEY || len > NEEDLE_MAX)
		return -EINVAL;
	s->needles = grow(s->needles, s->n, sizeof(*s->needles));
	needle = &s->needles[s->n];
	*needle = (struct needle){.bytes = malloc(len), .len = len};
	if (!needle->bytes)
		return -ENOMEM;
	for (size_t i = 0; i < len; i++) {
		char pair[] = {text[2 * i], text[2 * i + 1], '\0'};

		needle->bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	h = hash(needle->bytes);
	needle->next = s->first[h];
	s->first[h] = (int)s->n++;
	s->taken[h >> 3] = (uint8_t)(s->taken[h >> 3] | 1u << (h & 7));
	return 0;
}

static int read_orders(struct search *s)
{
	_cleanup_(freep) char *line = NULL;
	size_t room = 0;
	int r = 0;

	while (r == 0 && getline(&line, &room, stdin) > 0) {
		uint64_t low, high;

		if (line[0] == 'N') {
			r = add_needle(s, line + 2);
		} else if (sscanf(line, "R %" SCNx64 " %" SCNx64, &low, &high) == 2) {
			s->regions = grow(s->regions, s->n_regions, sizeof(*s->regions));
			s->regions[s->n_regions][0] = low;
			s->regions[s->n_regions++][1] = high;
		} else {
			r = -EINVAL;
		}
	}
	return r;
}

static int open_of(const char *pid, const char *what)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, what);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int search(const char *pid)
{
	static struct search s;
	int r;

	memset(s.first, 0xff, sizeof(s.first));
	r = read_orders(&s);
	if (r) {
		fprintf(stderr, "memfind: %s\n", strerror(-r));
		return 2;
	}
	s.mem = open_of(pid, "mem");
	s.map = open_of(pid, "pagemap");
	if (s.mem < 0 || s.map < 0) {
		perror("memfind");
		return 1;
	}
	for (size_t i = 0; i < s.n_regions; i++)
		look_at(&s, s.regions[i][0], s.regions[i][1]);
	printf("done %" PRIu64 "\n", s.n_bytes);
	for (size_t i = 0; i < s.n; i++)
		free(s.needles[i].bytes);
	free(s.needles);
	free(s.regions);
	close(s.mem);
	close(s.map);
	return 0;
}

/* --- what a search must find --- */

static char kept[NEEDLE_MAX];
static sem_t left;

__attribute__((noinline)) static void leave_behind(void)
{
	char deep[DEEP];

	memset(deep, 0, sizeof(deep));
	memcpy(deep + 64, kept, sizeof(kept));
	__asm__ volatile("" : : "r"(deep) : "memory");
}

static void *leaver(void *arg)
{
	char c;

	leave_behind();
	sem_post(&left);
	while (read(*(int *)arg, &c, 1) > 0)
		;
	return NULL;
}

static int plant(void)
{
	_cleanup_(freep) char *own = NULL;
	pthread_t thread;
	int ends[2];
	char c;

	if (!fgets(kept, sizeof(kept), stdin) || pipe(ends) < 0)
		return 1;
	kept[strcspn(kept, "\n")] = '\0';
	own = strdup(kept);
	sem_init(&left, 0, 0);
	if (!own || pthread_create(&thread, NULL, leaver, &ends[0]) != 0)
		return 1;
	while (sem_wait(&left) < 0)
		;
	leave_behind();
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	close(ends[1]);
	pthread_join(thread, NULL);
	close(ends[0]);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: memfind PID | plant\n");
		return 2;
	}
	return strcmp(argv[1], "plant") == 0 ? plant() : search(argv[1]);
}
