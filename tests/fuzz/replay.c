/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target without a fuzzer: every file of the corpus as it is, then
 * changed copies of it, the same ones each time. QMESH_FUZZ_ROUNDS changes a
 * file that often (200), within 20 s in all.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_LEN (1u << 20)
#define MAX_TIME 20

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

static uint64_t seed = 0x9e3779b97f4a7c15u;

static uint32_t next(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return below ? (uint32_t)(seed % below) : 0;
}

/* One change: a bit, a byte, a piece cut out, doubled or moved to the end. */
static size_t change(uint8_t *p, size_t len, size_t cap)
{
	size_t at = next((uint32_t)len), n = 1 + next(16);

	if (len == 0) {
		p[0] = (uint8_t)next(256);
		return 1;
	}
	if (n > len - at)
		n = len - at;
	switch (next(5)) {
	case 0:
		p[at] ^= (uint8_t)(1u << next(8));
		return len;
	case 1:
		p[at] = (uint8_t) "\0\"\\{}[]:,-0e\xff\x80u"[next(15)];
		return len;
	case 2:
		memmove(p + at, p + at + n, len - at - n);
		return len - n;
	case 3:
		if (len + n > cap)
			return len;
		memmove(p + at + n, p + at, len - at);
		return len + n;
	default:
		return at;
	}
}

/* A heap copy of the exact length, so that reading past it is seen. */
static void run(const uint8_t *p, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	if (!copy)
		abort();
	if (len)
		memcpy(copy, p, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

static unsigned long run_file(const char *path, unsigned rounds, time_t until)
{
	uint8_t *buf = malloc(MAX_LEN + 64), *work = malloc(MAX_LEN + 64);
	FILE *f = fopen(path, "rb");
	unsigned long done = 0;
	size_t len;

	if (!f || !buf || !work) {
		perror(path);
		exit(1);
	}
	len = fread(buf, 1, MAX_LEN, f);
	fclose(f);
	run(buf, len);
	for (done = 1; done <= rounds && time(NULL) < until; done++) {
		size_t n = len;

		memcpy(work, buf, len);
		for (unsigned i = 0; i <= next(4); i++)
			n = change(work, n, MAX_LEN);
		run(work, n);
	}
	free(buf);
	free(work);
	return done;
}

int main(int argc, char **argv)
{
	const char *env = getenv("QMESH_FUZZ_ROUNDS");
	unsigned rounds = env ? (unsigned)strtoul(env, NULL, 10) : 200;
	time_t until = time(NULL) + MAX_TIME;
	unsigned long n = 0, files = 0;

	for (int i = 1; i < argc; i++) {
		DIR *d = opendir(argv[i]);
		struct dirent *e;

		if (!d) {
			n += run_file(argv[i], rounds, until);
			files++;
			continue;
		}
		while ((e = readdir(d))) {
			char path[4096];

			if (e->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/%s", argv[i], e->d_name);
			n += run_file(path, rounds, until);
			files++;
		}
		closedir(d);
	}
	printf("%lu files, %lu inputs\npassed %d failed %d skipped 0\n", files, n, files > 0,
	       files == 0);
	return files == 0;
}
