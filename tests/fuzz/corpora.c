/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a fuzz target an ordinary test: every file of its corpus, each file cut
 * at every length, then changed copies until the rounds or the seconds are
 * used up. The same seed each time, so that a failure comes back.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define INPUT_MAX 65536
#define FILES_MAX 4096
#define ROUNDS 200000
#define ROUNDS_LONG 20000000
#define SECONDS 4
#define SECONDS_LONG 300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct input {
	uint8_t *data;
	size_t len;
};

static struct input files[FILES_MAX];
static size_t n_files;
static uint64_t random_state = 0x9e3779b97f4a7c15u;

static uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static size_t random_below(size_t n)
{
	return n ? (size_t)(random_next() % n) : 0;
}

static int read_input(const char *folder, const char *name)
{
	char path[4096];
	struct stat st;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > INPUT_MAX ||
	    n_files == FILES_MAX)
		return 0;
	f = fopen(path, "rb");
	if (!f)
		return -1;
	files[n_files].data = malloc(INPUT_MAX);
	if (files[n_files].data)
		files[n_files].len = fread(files[n_files].data, 1, INPUT_MAX, f);
	fclose(f);
	if (!files[n_files].data)
		return -1;
	n_files++;
	return 0;
}

static int read_corpus(const char *folder)
{
	struct dirent *entry;
	DIR *dir = opendir(folder);
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -1;
	while (r == 0 && (entry = readdir(dir)))
		r = read_input(folder, entry->d_name);
	closedir(dir);
	return r;
}

/* On the heap and of exactly this size, so that one byte too far is noticed. */
static void try_input(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	if (!copy)
		abort();
	if (len)
		memcpy(copy, data, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

static void change_once(struct input *in)
{
	static const uint8_t odd[] = {0,   1,   0x7f, 0x80, 0xff, '"', '\\', '.',
				      '-', '/', '%',  '\n', '{',  '[', ':',  ','};
	size_t at = random_below(in->len), n = random_below(16) + 1;

	switch (random_below(6)) {
	case 0: /* flip a bit */
		if (in->len)
			in->data[at] ^= (uint8_t)(1u << random_below(8));
		break;
	case 1: /* an odd byte */
		if (in->len)
			in->data[at] = odd[random_below(sizeof(odd))];
		break;
	case 2: /* cut the end off */
		in->len = at;
		break;
	case 3: /* take some out */
		if (n > in->len - at)
			n = in->len - at;
		memmove(in->data + at, in->data + at + n, in->len - at - n);
		in->len -= n;
		break;
	case 4: /* put some in */
		if (in->len + n > INPUT_MAX)
			break;
		memmove(in->data + at + n, in->data + at, in->len - at);
		for (size_t i = 0; i < n; i++)
			in->data[at + i] = (uint8_t)random_next();
		in->len += n;
		break;
	default: /* double a piece */
		if (n > in->len - at)
			n = in->len - at;
		if (in->len + n > INPUT_MAX)
			break;
		memmove(in->data + at + n, in->data + at, in->len - at);
		in->len += n;
	}
}

int main(int argc, char **argv)
{
	const char *folder = argc > 1 ? argv[1] : "";
	int longer = getenv("QMESH_LONG") != NULL;
	long rounds = 0, most = longer ? ROUNDS_LONG : ROUNDS;
	time_t end = time(NULL) + (longer ? SECONDS_LONG : SECONDS);
	static uint8_t buffer[INPUT_MAX];

	if (read_corpus(folder) != 0) {
		fprintf(stderr, "%s: %s\n", folder, strerror(errno));
		return 1;
	}
	try_input(buffer, 0);
	for (size_t i = 0; i < n_files; i++) {
		for (size_t len = 0; len <= files[i].len; len++)
			try_input(files[i].data, len);
	}
	while (rounds < most && (rounds % 64 || time(NULL) < end)) {
		struct input in = {.data = buffer};
		size_t times = random_below(8) + 1;

		if (n_files) {
			const struct input *from = &files[random_below(n_files)];

			in.len = from->len;
			memcpy(buffer, from->data, from->len);
		}
		while (times--)
			change_once(&in);
		try_input(buffer, in.len);
		rounds++;
	}
	printf("%zu files, %ld changed inputs\n", n_files, rounds);
	printf("passed 1 failed 0 skipped 0\n");
	return 0;
}
