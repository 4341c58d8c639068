/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/secretfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/key.h"
#include "base/log.h"
#include "base/own.h"

int secretfile_check(const char *path)
{
	return own_check_path(path);
}

int secretfile_read(const char *path, void *ret, size_t len)
{
	_cleanup_(close_fdp) int fd = -1;
	int r = own_open(path, &fd);

	if (r)
		return r;
	if (read(fd, ret, len) != (ssize_t)len) {
		log_error("keyring", "%s: not a key of ours", path);
		return err_origin(-EBADMSG);
	}
	return 0;
}

static int load(int fd, const char *path, char *ret, size_t cap, size_t *ret_len)
{
	size_t len = 0;
	ssize_t n;

	while (len < cap && (n = read(fd, ret + len, cap - len)) > 0)
		len += (size_t)n;
	if (len == cap || memchr(ret, '\0', len)) {
		log_error("keyring", "%s: no text of ours", path);
		return err_origin(-EBADMSG);
	}
	ret[len] = '\0';
	*ret_len = len;
	return 0;
}

int secretfile_load(const char *path, char *ret, size_t cap, size_t *ret_len)
{
	_cleanup_(close_fdp) int fd = -1;
	int r = own_open(path, &fd);

	return r ? r : load(fd, path, ret, cap, ret_len);
}

int secretfile_load_public(const char *path, char *ret, size_t cap, size_t *ret_len)
{
	_cleanup_(close_fdp) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_origin(-errno) : load(fd, path, ret, cap, ret_len);
}

static int sync_folder(const char *path)
{
	_cleanup_(close_fdp) int fd = -1;
	char folder[PATH_MAX], *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (!slash)
		return err_origin(-EINVAL);
	*slash = '\0';
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) ? -errno : 0;
}

static int write_file(const char *path, const void *p, size_t len, mode_t mode)
{
	_cleanup_(close_fdp) int fd = -1;
	char aside[PATH_MAX];
	ssize_t n;
	int r = 0;

	if (snprintf(aside, sizeof(aside), "%s.new", path) >= (int)sizeof(aside))
		return err_origin(-ENAMETOOLONG);
	unlink(aside);
	fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0) {
		r = -errno;
	} else {
		n = write(fd, p, len);
		if (n < 0 || (n == (ssize_t)len && fsync(fd)))
			r = -errno;
		else if (n != (ssize_t)len)
			r = -ENOSPC;
	}
	if (!r && (fchmod(fd, mode) || rename(aside, path)))
		r = -errno;
	if (!r)
		return sync_folder(path);
	log_error("keyring", "%s: %s", path, strerror(-r));
	unlink(aside);
	return err_origin(r);
}

int secretfile_write(const char *path, const void *p, size_t len)
{
	return write_file(path, p, len, 0600);
}

int secretfile_write_public(const char *path, const void *p, size_t len)
{
	return write_file(path, p, len, 0644);
}
