/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/vendorkeys.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/text.h"

enum { FILE_MAX = 16384, LINE_LEN_MAX = 256 };

/* Of the build: CMakeLists.txt reads packaging/vendor-keys. */
#ifndef QM_VENDOR_KEYS
#define QM_VENDOR_KEYS ""
#endif

static int add(struct vendorkeys *keys, const char *line, bool own)
{
	struct vendorkey k = {.own = own};
	uint8_t hash[HASH_LEN];
	size_t word = strcspn(line, " \t"), len;
	const char *name = line + word + strspn(line + word, " \t");

	if (text_unbase64(line, word, k.public_key, sizeof(k.public_key), &len) ||
	    len != sizeof(k.public_key) || !*name || strlen(name) > VENDORKEYS_NAME_MAX ||
	    keys->n == VENDORKEYS_MAX)
		return -EINVAL;
	hash_bytes(NULL, 0, k.public_key, sizeof(k.public_key), hash);
	text_hex(hash, VENDORKEYS_ID_LEN / 2, k.id);
	strcpy(k.name, name);
	keys->keys[keys->n++] = k;
	return 0;
}

int vendorkeys_parse(const char *list, const char *where, bool own, struct vendorkeys *keys)
{
	char line[LINE_LEN_MAX];

	for (unsigned number = 1; *list; number++) {
		size_t len = strcspn(list, "\n"), n = len < sizeof(line) ? len : sizeof(line) - 1;

		memcpy(line, list, n);
		while (n && strchr(" \t\r", line[n - 1]))
			n--;
		line[n] = '\0';
		if (n && line[0] != '#' && (len >= sizeof(line) || add(keys, line, own))) {
			log_error("licence",
				  "%s:%u: must be a key in base64 and a name, %d lines at most",
				  where, number, VENDORKEYS_MAX);
			return -EINVAL;
		}
		list += len + (list[len] == '\n');
	}
	return 0;
}

/* Whoever may write the list decides whose licences are good. */
static int check_owner(int fd, const char *path)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || (st.st_uid && st.st_uid != geteuid()) || st.st_mode & 022) {
		log_error("licence",
			  "%s: must be a file of root or this user that nobody else may write",
			  path);
		return -EPERM;
	}
	return 0;
}

static int read_list(const char *path, char *ret)
{
	_cleanup_(close_fdp) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;
	int r;

	if (fd < 0) {
		log_error("licence", "%s: %s", path, strerror(errno));
		return -errno;
	}
	r = check_owner(fd, path);
	if (r)
		return r;
	n = read(fd, ret, FILE_MAX);
	if (n < 0)
		return -errno;
	ret[n] = '\0';
	return n < FILE_MAX ? 0 : -EFBIG;
}

int vendorkeys_load(const char *path, struct vendorkeys *ret_keys)
{
	struct vendorkeys keys = {.n = 0};
	char list[FILE_MAX + 1];
	int r;

	r = vendorkeys_parse(QM_VENDOR_KEYS, "packaging/vendor-keys", false, &keys);
	if (!r && *path)
		r = read_list(path, list);
	if (!r && *path)
		r = vendorkeys_parse(list, path, true, &keys);
	if (r)
		return err_trace(r);
	*ret_keys = keys;
	return 0;
}
