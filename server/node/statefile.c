/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the state directory. Any thread; two writers of one name must not meet. */
#include "server/node/statefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"

#define PATH_LEN 512

static int write_all(int fd, const uint8_t *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return fsync(fd) ? -errno : 0;
}

static int sync_dir(const char *dir)
{
	_cleanup_(close_fdp) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_origin(-errno);
	return fsync(fd) ? err_origin(-errno) : 0;
}

int statefile_write(const char *dir, const char *name, const void *p, size_t len)
{
	char path[PATH_LEN], tmp[PATH_LEN];
	int fd, r;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	snprintf(tmp, sizeof(tmp), "%s/.%s.new", dir, name);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_origin(-errno);
	r = write_all(fd, p, len);
	close(fd);
	if (!r && rename(tmp, path))
		r = -errno;
	if (r) {
		unlink(tmp);
		return err_origin(r);
	}
	return sync_dir(dir);
}

int statefile_read(const char *dir, const char *name, size_t max, uint8_t **ret, size_t *ret_len)
{
	_cleanup_(close_fdp) int fd = -1;
	_cleanup_(freep) uint8_t *p = NULL;
	struct stat st;
	char path[PATH_LEN];
	size_t len = 0;
	int r;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	r = own_open(path, &fd);
	if (r)
		return r;
	if (fstat(fd, &st))
		return err_origin(-errno);
	if ((size_t)st.st_size > max)
		return err_origin(-EFBIG);
	p = malloc((size_t)st.st_size + 1);
	if (!p)
		return err_origin(-ENOMEM);
	while (len < (size_t)st.st_size) {
		ssize_t n = read(fd, p + len, (size_t)st.st_size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_origin(n < 0 ? -errno : -EIO);
		len += (size_t)n;
	}
	p[len] = '\0';
	*ret_len = len;
	*ret = TAKE(p);
	return 0;
}

/* The directory itself may be behind a link of the administrator's. */
static int check_dir(const char *dir)
{
	_cleanup_(close_fdp) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		log_error("state", "%s: %s", dir, strerror(errno));
		return err_origin(-errno);
	}
	return own_check(fd, dir);
}

int statefile_make_dir(const char *dir)
{
	char path[PATH_LEN];

	if (strlen(dir) >= sizeof(path))
		return err_origin(-ENAMETOOLONG);
	strcpy(path, dir);
	for (char *p = path + 1;; p++) {
		char kept = *p;

		if (kept && kept != '/')
			continue;
		*p = '\0';
		if (mkdir(path, 0700) && errno != EEXIST) {
			log_error("state", "%s: %s", path, strerror(errno));
			return err_origin(-errno);
		}
		*p = kept;
		if (!kept)
			return check_dir(dir);
	}
}
