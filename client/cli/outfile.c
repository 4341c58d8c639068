/* SPDX-License-Identifier: Apache-2.0 */
/* Files with secrets; see outfile.h. */
#include "client/cli/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

int outfile_open(const char *path, bool replace, struct outfile *ret_file)
{
	struct outfile f = {.fd = -1};
	int r;

	if (!replace && access(path, F_OK) == 0)
		return -EEXIST;
	f.path = strdup(path);
	if (!f.path || asprintf(&f.temporary, "%s.XXXXXX", path) < 0) {
		free(f.path);
		return -ENOMEM;
	}
	/* mkostemp makes it 0600. */
	f.fd = mkostemp(f.temporary, O_CLOEXEC);
	if (f.fd < 0) {
		r = -errno;
		free(f.path);
		free(f.temporary);
		return r;
	}
	*ret_file = f;
	return 0;
}

static int write_all(int fd, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int outfile_commit(struct outfile *f, const void *p, size_t len)
{
	int r;

	r = write_all(f->fd, p, len);
	if (r == 0 && fsync(f->fd) < 0 && errno != EINVAL && errno != EROFS)
		r = -errno;
	if (r == 0 && rename(f->temporary, f->path) < 0)
		r = -errno;
	if (r == 0) {
		free(f->temporary);
		f->temporary = NULL;
	}
	outfile_done(f);
	return r;
}

void outfile_done(struct outfile *f)
{
	if (f->temporary)
		unlink(f->temporary);
	close_fdp(&f->fd);
	free(f->path);
	free(f->temporary);
	*f = (struct outfile){.fd = -1};
}

int outfile_read(const char *path, size_t max, char **ret_text, size_t *ret_len)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 1;
	char *text;
	int r = 0;

	if (fd < 0)
		return -errno;
	text = calloc(1, max + 2);
	while (text && n > 0 && len <= max) {
		n = read(fd, text + len, max + 1 - len);
		if (n < 0)
			r = -errno;
		else
			len += (size_t)n;
	}
	if (fd != STDIN_FILENO)
		close(fd);
	if (!text)
		return -ENOMEM;
	if (r == 0 && len > max)
		r = -EFBIG;
	if (r < 0) {
		explicit_bzero(text, max + 2);
		free(text);
		return r;
	}
	*ret_text = text;
	*ret_len = len;
	return 0;
}
