/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/statedir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"

int statedir_take(const char *path, int *ret_fd)
{
	int fd, r;

	if (mkdir(path, 0700) && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		r = errno == EWOULDBLOCK ? -EBUSY : -errno;
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

int statedir_check(int fd, const char *path)
{
	const char *kind = "600";
	mode_t others = 077;
	struct stat st;

	if (fstat(fd, &st))
		return err_origin(-errno);
	if (S_ISDIR(st.st_mode)) {
		kind = "700";
		others = 022;
	} else if (!S_ISREG(st.st_mode)) {
		log_error("store", "%s is no plain file: put the right one in its place", path);
		return err_origin(-EPERM);
	}
	if (st.st_uid != geteuid())
		log_error("store",
			  "%s belongs to user id %u and this runs as %u: start it as that user, "
			  "or chown it",
			  path, (unsigned)st.st_uid, (unsigned)geteuid());
	else if (st.st_mode & others)
		log_error("store", "%s has mode %04o, which lets others in: chmod %s %s", path,
			  (unsigned)(st.st_mode & 07777), kind, path);
	else
		return 0;
	return err_origin(-EPERM);
}

int statedir_is_empty(const char *path, bool *ret_empty)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	bool empty = true;

	if (!dir) {
		if (errno != ENOENT)
			return -errno;
		*ret_empty = true;
		return 0;
	}
	while (empty && (e = readdir(dir)))
		empty = !strcmp(e->d_name, ".") || !strcmp(e->d_name, "..");
	closedir(dir);
	*ret_empty = empty;
	return 0;
}
