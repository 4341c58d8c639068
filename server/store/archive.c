/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/archive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/key.h"
#include "base/log.h"
#include "base/sign.h"

#define STORE_NAME "store.db"
#define CERT_NAME "ca.pem"
#define PROGRAM_NAME "program"
#define KEYS_DIR "keys"
#define SESSIONS_NAME "sessions"
#define RING_NAME "ring"

enum { ENTRY_FIXED_LEN = 9, SIDE_FILE_MAX = 524288, SECRET_LEN = KEY_LEN };

/* --- making one --- */

static int add(struct archive *a, const char *name, uint8_t *p, size_t len)
{
	struct archive_file *f = &a->files[a->n_files];

	if (a->n_files == ARCHIVE_FILES_MAX || strlen(name) > ARCHIVE_NAME_MAX) {
		key_wipe_bytes(p, len);
		free(p);
		return err_origin(-E2BIG);
	}
	snprintf(f->name, sizeof(f->name), "%s", name);
	f->p = p;
	f->len = len;
	f->owned = true;
	a->n_files++;
	return 0;
}

static int add_text(struct archive *a, const char *name, const char *text)
{
	uint8_t *p = (uint8_t *)strdup(text);

	return p ? add(a, name, p, strlen(text)) : -ENOMEM;
}

static int add_file(struct archive *a, const char *state_dir, const char *name)
{
	_cleanup_(close_fdp) int fd = -1;
	char path[PATH_MAX];
	struct stat st;
	uint8_t *p;

	if (snprintf(path, sizeof(path), "%s/%s", state_dir, name) >= (int)sizeof(path))
		return err_origin(-ENAMETOOLONG);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		log_error("archive", "%s: %s", path, strerror(errno));
		return err_origin(-errno);
	}
	if (!S_ISREG(st.st_mode) || st.st_size > SIDE_FILE_MAX)
		return err_origin(-EINVAL);
	p = malloc((size_t)st.st_size + 1);
	if (!p)
		return -ENOMEM;
	if (read(fd, p, (size_t)st.st_size) != st.st_size) {
		free(p);
		return err_origin(-EIO);
	}
	return add(a, name, p, (size_t)st.st_size);
}

/* "lists-2.key", "psk-1.key", "ring": what the keyring writes, not what it is writing. */
static bool is_key_name(const char *name)
{
	size_t len = strlen(name);

	return !strcmp(name, RING_NAME) ||
	       (len > 4 && !strcmp(name + len - 4, ".key") && name[0] != '.' &&
		strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == len);
}

static int add_keys(struct archive *a, const char *state_dir)
{
	char path[PATH_MAX], name[ARCHIVE_NAME_MAX + 1];
	struct dirent *e;
	DIR *dir;
	int r = 0;

	if (snprintf(path, sizeof(path), "%s/" KEYS_DIR, state_dir) >= (int)sizeof(path))
		return err_origin(-ENAMETOOLONG);
	dir = opendir(path);
	if (!dir)
		return err_origin(-errno);
	while (!r && (e = readdir(dir))) {
		if (!is_key_name(e->d_name) ||
		    !strncmp(e->d_name, SESSIONS_NAME, strlen(SESSIONS_NAME)))
			continue;
		if (snprintf(name, sizeof(name), KEYS_DIR "/%s", e->d_name) < (int)sizeof(name))
			r = add_file(a, state_dir, name);
	}
	closedir(dir);
	return r;
}

int archive_collect(struct store *store, const char *state_dir, struct archive *ret)
{
	struct archive a = {0};
	uint8_t *image;
	size_t len;
	int r;

	r = add_text(&a, PROGRAM_NAME, QMESH_VERSION);
	/* The store first: a key that it names is on the disk before it is named. */
	if (!r)
		r = store_image(store, &image, &len);
	if (!r)
		r = add(&a, STORE_NAME, image, len);
	if (!r)
		r = add_file(&a, state_dir, CERT_NAME);
	if (!r)
		r = add_keys(&a, state_dir);
	if (r) {
		archive_done(&a);
		return err_trace(r);
	}
	*ret = a;
	return 0;
}

void archive_done(struct archive *a)
{
	for (size_t i = 0; i < a->n_files; i++) {
		if (!a->files[i].owned)
			continue;
		key_wipe_bytes(a->files[i].p, a->files[i].len);
		free(a->files[i].p);
	}
	*a = (struct archive){0};
}

uint64_t archive_len(const struct archive *a)
{
	uint64_t len = 1;

	for (size_t i = 0; i < a->n_files; i++)
		len += ENTRY_FIXED_LEN + strlen(a->files[i].name) + a->files[i].len;
	return len;
}

/* One entry's own bytes, before the file's. */
static size_t entry(const struct archive_file *f, uint8_t ret[ENTRY_FIXED_LEN + ARCHIVE_NAME_MAX])
{
	size_t name_len = strlen(f->name);
	uint64_t size = f->len;

	ret[0] = (uint8_t)name_len;
	memcpy(ret + 1, f->name, name_len);
	for (size_t i = 8; i-- > 0; size >>= 8)
		ret[1 + name_len + i] = (uint8_t)size;
	return ENTRY_FIXED_LEN + name_len;
}

struct window {
	uint64_t skip;
	uint8_t *ret;
	size_t cap, n;
};

static void pass(struct window *w, const uint8_t *p, size_t len)
{
	if (w->skip >= len) {
		w->skip -= len;
		return;
	}
	p += w->skip;
	len -= (size_t)w->skip;
	w->skip = 0;
	if (len > w->cap - w->n)
		len = w->cap - w->n;
	memcpy(w->ret + w->n, p, len);
	w->n += len;
}

size_t archive_read(const struct archive *a, uint64_t offset, uint8_t *ret, size_t cap)
{
	struct window w = {.skip = offset, .ret = ret, .cap = cap};
	uint8_t head[ENTRY_FIXED_LEN + ARCHIVE_NAME_MAX];
	static const uint8_t end;

	for (size_t i = 0; i < a->n_files && w.n < cap; i++) {
		pass(&w, head, entry(&a->files[i], head));
		pass(&w, a->files[i].p, a->files[i].len);
	}
	if (w.n < cap)
		pass(&w, &end, 1);
	return w.n;
}

/* --- reading one --- */

static bool name_ok(const char *name)
{
	return !strcmp(name, STORE_NAME) || !strcmp(name, CERT_NAME) ||
	       !strcmp(name, PROGRAM_NAME) ||
	       (!strncmp(name, KEYS_DIR "/", strlen(KEYS_DIR) + 1) &&
		is_key_name(name + strlen(KEYS_DIR) + 1));
}

/* One entry; moves *p. 1: the end; -EBADMSG. */
static int parse_entry(uint8_t **p, const uint8_t *end, struct archive *a)
{
	struct archive_file *f = &a->files[a->n_files];
	size_t name_len;
	uint64_t size = 0;

	if (*p == end)
		return -EBADMSG;
	name_len = *(*p)++;
	if (!name_len)
		return *p == end ? 1 : -EBADMSG;
	if (a->n_files == ARCHIVE_FILES_MAX || name_len > ARCHIVE_NAME_MAX ||
	    (size_t)(end - *p) < name_len + 8)
		return -EBADMSG;
	memcpy(f->name, *p, name_len);
	f->name[name_len] = '\0';
	*p += name_len;
	for (int i = 0; i < 8; i++)
		size = size << 8 | *(*p)++;
	if (size > (uint64_t)(end - *p) || !name_ok(f->name) || archive_find(a, f->name))
		return -EBADMSG;
	f->p = *p;
	f->len = (size_t)size;
	*p += size;
	a->n_files++;
	return 0;
}

int archive_parse(uint8_t *p, size_t len, struct archive *ret)
{
	struct archive a = {0};
	const uint8_t *end = p + len;
	int r;

	do {
		r = parse_entry(&p, end, &a);
	} while (r == 0);
	if (r < 0)
		return r;
	*ret = a;
	return 0;
}

const struct archive_file *archive_find(const struct archive *a, const char *name)
{
	for (size_t i = 0; i < a->n_files; i++) {
		if (!strcmp(a->files[i].name, name))
			return &a->files[i];
	}
	return NULL;
}

static void fault(inspect_fn fn, void *arg, struct inspect_report *report, const char *name,
		  const char *what)
{
	char text[ARCHIVE_NAME_MAX + 80];

	snprintf(text, sizeof(text), "%s: %s", name, what);
	report->n_faults++;
	fn(arg, text);
}

/* A signing key signs, and the public half in it is its own. */
static bool signs(const struct archive_file *f)
{
	uint8_t sig[SIGN_LEN];

	if (f->len != SIGN_SECRET_LEN)
		return false;
	sign_message(f->p, "qmesh", 5, sig);
	return sign_verify(f->p + SIGN_SECRET_LEN - SIGN_PUBLIC_LEN, "qmesh", 5, sig);
}

static bool is_pem(const struct archive_file *f)
{
	static const char begin[] = "-----BEGIN ";

	return f->len > strlen(begin) && !memcmp(f->p, begin, strlen(begin));
}

static bool starts(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

/* The first of its purpose has no number, those after a rotation do. */
static bool has_key(const struct archive *a, const char *purpose)
{
	char plain[ARCHIVE_NAME_MAX + 1], numbered[ARCHIVE_NAME_MAX + 1];

	snprintf(plain, sizeof(plain), KEYS_DIR "/%s.key", purpose);
	snprintf(numbered, sizeof(numbered), KEYS_DIR "/%s-", purpose);
	for (size_t i = 0; i < a->n_files; i++) {
		if (!strcmp(a->files[i].name, plain) || starts(a->files[i].name, numbered))
			return true;
	}
	return false;
}

static bool is_ring(const struct archive_file *f)
{
	static const char begin[] = "qmesh-ring/";

	return f->len > strlen(begin) && !memcmp(f->p, begin, strlen(begin));
}

static bool is_good(const struct archive_file *f)
{
	if (starts(f->name, KEYS_DIR "/psk-"))
		return f->len == SECRET_LEN;
	if (starts(f->name, KEYS_DIR "/tls") || !strcmp(f->name, CERT_NAME))
		return is_pem(f);
	if (!strcmp(f->name, KEYS_DIR "/" RING_NAME))
		return is_ring(f);
	return !starts(f->name, KEYS_DIR "/") || signs(f);
}

static void check_keys(const struct archive *a, inspect_fn fn, void *arg,
		       struct inspect_report *report)
{
	static const char *const wanted[] = {STORE_NAME, CERT_NAME}, *const purposes[] = {"agents",
											  "lists",
											  "tls"};
	char name[ARCHIVE_NAME_MAX + 1];

	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		if (!archive_find(a, wanted[i]))
			fault(fn, arg, report, wanted[i], "is missing");
	}
	for (size_t i = 0; i < ARRAY_LEN(purposes); i++) {
		if (has_key(a, purposes[i]))
			continue;
		snprintf(name, sizeof(name), KEYS_DIR "/%s.key", purposes[i]);
		fault(fn, arg, report, name, "is missing");
	}
	for (size_t i = 0; i < report->n_psk_versions; i++) {
		snprintf(name, sizeof(name), KEYS_DIR "/psk-%u.key", report->psk_versions[i]);
		if (!archive_find(a, name))
			fault(fn, arg, report, name, "is missing, and devices need it");
	}
	for (size_t i = 0; i < a->n_files; i++) {
		if (!is_good(&a->files[i]))
			fault(fn, arg, report, a->files[i].name, "is no key of this kind");
	}
}

int archive_check(const struct archive *a, inspect_fn fn, void *arg,
		  struct inspect_report *ret_report)
{
	const struct archive_file *db = archive_find(a, STORE_NAME);
	int r;

	if (!db)
		return -EBADMSG;
	r = inspect_image(db->p, db->len, fn, arg, ret_report);
	if (!r)
		check_keys(a, fn, arg, ret_report);
	return r;
}

static int write_file(const char *dir, const struct archive_file *f)
{
	_cleanup_(close_fdp) int fd = -1;
	char path[PATH_MAX];
	size_t done = 0;

	if (snprintf(path, sizeof(path), "%s/%s", dir, f->name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	while (done < f->len) {
		ssize_t n = write(fd, f->p + done, f->len - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return fsync(fd) ? -errno : 0;
}

int archive_unpack(const struct archive *a, const char *dir)
{
	char keys[PATH_MAX];
	int r = 0;

	if (snprintf(keys, sizeof(keys), "%s/" KEYS_DIR, dir) >= (int)sizeof(keys))
		return -ENAMETOOLONG;
	if (mkdir(keys, 0700))
		return -errno;
	for (size_t i = 0; !r && i < a->n_files; i++) {
		if (strcmp(a->files[i].name, PROGRAM_NAME) != 0)
			r = write_file(dir, &a->files[i]);
	}
	return r;
}
