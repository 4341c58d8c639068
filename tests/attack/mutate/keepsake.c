/* SPDX-License-Identifier: Apache-2.0 */
/* Whoever ended a server is mostly over when it is noticed: so the last ones are kept, too. */
#include "tests/attack/mutate/keepsake.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { NOTED = 512, JUST_MS = 1000 };

static struct noted {
	uint64_t number, ended_ms;
	bool h2;
	struct octets bytes;
} noted[NOTED];
static size_t n_noted;

static void save(const char *dir, uint64_t seed, uint64_t number, bool h2, const struct octets *o)
{
	char path[4096];
	FILE *f;

	if (!dir || (mkdir(dir, 0755) < 0 && errno != EEXIST))
		return;
	snprintf(path, sizeof(path), "%s/%" PRIu64 "-%" PRIu64 ".h%d", dir, seed, number,
		 h2 ? 2 : 1);
	f = fopen(path, "wb");
	if (!f || fwrite(o->p, 1, o->len, f) != o->len)
		perror(path);
	if (f)
		fclose(f);
}

void keepsake_save(const char *dir, const struct strike *s, uint64_t seed)
{
	save(dir, seed, s->number, s->h2, &s->out);
}

void keepsake_note(const struct strike *s, uint64_t now_ms)
{
	struct noted *n = &noted[n_noted++ % NOTED];

	n->number = s->number;
	n->ended_ms = now_ms;
	n->h2 = s->h2;
	n->bytes.len = 0;
	octets_add(&n->bytes, s->out.p, s->out.len);
}

void keepsake_save_noted(const char *dir, uint64_t seed)
{
	uint64_t last = n_noted ? noted[(n_noted - 1) % NOTED].ended_ms : 0;

	for (size_t i = 0; i < n_noted && i < NOTED; i++)
		if (last - noted[i].ended_ms <= JUST_MS)
			save(dir, seed, noted[i].number, noted[i].h2, &noted[i].bytes);
}

int keepsake_load(const char *path, struct strike *s)
{
	struct octets out = s->out, in = s->in;
	const char *end = strrchr(path, '.');
	uint8_t buf[65536];
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f) {
		perror(path);
		return -errno;
	}
	out.len = in.len = 0;
	*s = (struct strike){.fd = -1,
			     .out = out,
			     .in = in,
			     .h2 = end && strcmp(end, ".h2") == 0,
			     .piece = OCTETS_MAX,
			     .n_requests = SIZE_MAX - 1,
			     .code = CODE_NONE};
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		octets_add(&s->out, buf, n);
	fclose(f);
	return 0;
}

void keepsake_done(void)
{
	for (size_t i = 0; i < NOTED; i++)
		octets_done(&noted[i].bytes);
}
