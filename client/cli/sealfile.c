/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/sealfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/sign.h"
#include "client/cli/outfile.h"
#include "client/cli/print.h"

#define PRIVATE_WORD "qmesh-backup-private "
#define PUBLIC_WORD "qmesh-backup-public "

enum { KEY_FILE_MAX = 512 };

static int write_key(const char *path, const char *word, const struct key *key)
{
	char line[sizeof(PRIVATE_WORD) + KEY_TEXT_LEN + 2], text[KEY_TEXT_LEN + 1];
	struct outfile f;
	int len, r;

	len = snprintf(line, sizeof(line), "%s%s\n", word, key_text(key, text));
	r = outfile_open(path, false, &f);
	if (!r)
		r = outfile_commit(&f, line, (size_t)len);
	key_wipe_bytes(line, sizeof(line));
	key_wipe_bytes(text, sizeof(text));
	if (r) {
		print_problem(NULL, "cannot write %s: %s", path, strerror(-r));
		return r == -EEXIST ? EXIT_CONFLICT : EXIT_OTHER;
	}
	return 0;
}

int sealfile_make_pair(const char *path)
{
	_cleanup_(freep) char *public_path = NULL;
	struct key private, public;
	int code;

	if (sign_init() || asprintf(&public_path, "%s.pub", path) < 0)
		return EXIT_OTHER;
	if (access(public_path, F_OK) == 0) {
		print_problem(NULL, "%s is there already", public_path);
		return EXIT_CONFLICT;
	}
	key_make(&private, &public);
	code = write_key(path, PRIVATE_WORD, &private);
	if (!code)
		code = write_key(public_path, PUBLIC_WORD, &public);
	key_wipe(&private);
	return code;
}

static int read_key(const char *path, const char *word, struct key *ret)
{
	char *text, *key;
	size_t len;
	int r;

	r = outfile_read(path, KEY_FILE_MAX, &text, &len);
	if (r) {
		print_problem(NULL, "cannot read %s: %s", path, strerror(-r));
		return EXIT_USAGE;
	}
	key = text + strlen(word);
	if (strncmp(text, word, strlen(word)) != 0)
		r = -EINVAL;
	else
		key[strcspn(key, "\r\n ")] = '\0';
	if (!r)
		r = key_parse(key, ret);
	key_wipe_bytes(text, len);
	free(text);
	if (!r)
		return 0;
	print_problem("qmesh backup keygen makes a pair: FILE is private, FILE.pub is public",
		      "%s has no %s key of a backup", path,
		      word[strlen("qmesh-backup-p")] == 'r' ? "private" : "public");
	return EXIT_USAGE;
}

int sealfile_read_public(const char *path, struct key *ret_public)
{
	return read_key(path, PUBLIC_WORD, ret_public);
}

static int explain(const char *path, int fault)
{
	switch (fault) {
	case SEALED_NOT_OURS:
		print_problem(NULL, "%s is no backup", path);
		break;
	case SEALED_NEWER:
		print_problem("use the qmesh that made it, or a newer one",
			      "%s has a form that this qmesh does not know", path);
		break;
	case SEALED_OTHER_KEY:
		print_problem("use the private key of the pair whose public key it was made for",
			      "%s is sealed to another key", path);
		break;
	case SEALED_CUT:
		print_problem("use another copy of it", "%s is cut off: its end is not there",
			      path);
		break;
	case SEALED_DAMAGED:
		print_problem("use another copy of it", "%s is damaged: it is not as it was made",
			      path);
		break;
	default:
		print_problem(NULL, "cannot open %s: %s", path, strerror(-fault));
		return EXIT_OTHER;
	}
	return EXIT_CHECK_FAILED;
}

int sealfile_open(const char *path, const char *private_path, struct sealfile *ret)
{
	_cleanup_(close_fdp) int fd = -1;
	struct sealfile f = {0};
	struct stat st, st_key;
	struct key private;
	uint8_t *p;
	int code, r;

	if (sign_init())
		return EXIT_OTHER;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		print_problem(NULL, "cannot read %s: %s", path,
			      errno ? strerror(errno) : "no plain file");
		return EXIT_USAGE;
	}
	if (!st.st_size)
		return explain(path, SEALED_NOT_OURS);
	code = read_key(private_path, PRIVATE_WORD, &private);
	if (code)
		return code;
	/* Sticks have no modes, and a restore must not fail for that: told, not refused. */
	if (!stat(private_path, &st_key) && st_key.st_mode & 077)
		print_line(stderr,
			   "warning: %s has mode %04o, which lets others read every backup: "
			   "chmod 600 %s",
			   private_path, (unsigned)(st_key.st_mode & 07777), private_path);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	r = p == MAP_FAILED ? -errno : sealed_peek(p, (size_t)st.st_size, &f.head);
	if (!r)
		r = sealed_open(p, (size_t)st.st_size, &private, &f.plain, &f.len);
	key_wipe(&private);
	if (p != MAP_FAILED)
		munmap(p, (size_t)st.st_size);
	if (r)
		return explain(path, r);
	*ret = f;
	return 0;
}

void sealfile_done(struct sealfile *f)
{
	if (f->plain)
		sealed_free(f->plain, f->len);
	*f = (struct sealfile){0};
}
