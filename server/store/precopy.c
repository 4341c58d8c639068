/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/precopy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/err.h"
#include "base/key.h"
#include "base/log.h"

static int name_of(const char *path, int64_t schema, char ret[PATH_MAX])
{
	size_t len = strlen(path);

	if (len > 3 && !strcmp(path + len - 3, ".db"))
		len -= 3;
	if (snprintf(ret, PATH_MAX, "%.*s-schema-%lld.db", (int)len, path, (long long)schema) >=
	    PATH_MAX)
		return err_origin(-ENAMETOOLONG);
	return 0;
}

static int write_all(int fd, const uint8_t *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return fsync(fd) ? -errno : 0;
}

/* Whole under its name, or not there at all. */
static int put(const char *name, const uint8_t *image, size_t len)
{
	_cleanup_(close_fdp) int fd = -1;
	char aside[PATH_MAX + 8];
	int r;

	snprintf(aside, sizeof(aside), "%s.new", name);
	if (unlink(aside) && errno != ENOENT)
		return -errno;
	fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, image, len);
	if (!r && rename(aside, name))
		r = -errno;
	if (r)
		unlink(aside);
	return r;
}

static void drop_older(const char *path, int64_t schema)
{
	char name[PATH_MAX];

	for (int64_t i = 1; i < schema; i++) {
		if (!name_of(path, i, name) && unlink(name) && errno != ENOENT)
			log_warn("store", "%s cannot be removed: %s", name, strerror(errno));
	}
}

int precopy_make(struct sql_db *db, const char *path)
{
	int64_t schema = 0;
	char name[PATH_MAX];
	uint8_t *image;
	size_t len;
	int r;

	r = sql_user_version(db, &schema);
	if (r || schema < 1 || schema >= schema_version())
		return err_trace(r);
	r = name_of(path, schema, name);
	if (!r)
		r = sql_image(db, &image, &len);
	if (r)
		return err_trace(r);
	r = put(name, image, len);
	key_wipe_bytes(image, len);
	free(image);
	if (r) {
		log_error("store", "%s: %s: without a copy of it the store stays as it is", name,
			  strerror(-r));
		return err_origin(r);
	}
	drop_older(path, schema);
	log_info("store", "schema %lld becomes %lld; as it was: %s", (long long)schema,
		 (long long)schema_version(), name);
	return 0;
}
