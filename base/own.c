/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key that others could read is as good as theirs, so it is refused and not
 * put right in silence: who let them in must hear of it.
 */
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"

int own_check(int fd, const char *path)
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
		log_error("state", "%s is no plain file: put the right one in its place", path);
		return err_origin(-EPERM);
	}
	if (st.st_uid != geteuid())
		log_error("state",
			  "%s belongs to user id %u and this runs as %u: start it as that user, "
			  "or chown it",
			  path, (unsigned)st.st_uid, (unsigned)geteuid());
	else if (st.st_mode & others)
		log_error("state", "%s has mode %04o, which lets others in: chmod %s %s", path,
			  (unsigned)(st.st_mode & 07777), kind, path);
	else
		return 0;
	return err_origin(-EPERM);
}

int own_open(const char *path, int *ret_fd)
{
	/* Not blocked by a pipe that somebody put there. */
	_cleanup_(close_fdp) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int r;

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0) {
		r = -errno;
		log_error("state", "%s: %s", path,
			  r == -ELOOP ? "is a link: put the file itself there" : strerror(-r));
		return err_origin(r == -ELOOP ? -EPERM : r);
	}
	r = own_check(fd, path);
	if (r)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int own_check_path(const char *path)
{
	_cleanup_(close_fdp) int fd = -1;

	return own_open(path, &fd);
}
