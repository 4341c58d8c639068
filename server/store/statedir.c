/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/statedir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

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
