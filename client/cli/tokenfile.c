/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions on disk; see tokenfile.h. */
#include "client/cli/tokenfile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "client/cli/outfile.h"

#define FILE_MAX_LEN 65536

void tokenfile_free(char *token)
{
	if (!token)
		return;
	explicit_bzero(token, strlen(token));
	free(token);
}

/* "" when there is no place for it. */
static void folder(char *ret, size_t len)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	ret[0] = '\0';
	if (config && config[0] == '/')
		snprintf(ret, len, "%s/qmesh", config);
	else if (home && home[0] == '/')
		snprintf(ret, len, "%s/.config/qmesh", home);
}

static int make_folder(char *path)
{
	for (char *p = path + 1;; p++) {
		bool last = *p == '\0';

		if (*p != '/' && !last)
			continue;
		*p = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return -errno;
		if (last)
			return 0;
		*p = '/';
	}
}

static int file_path(char *ret, size_t len, bool make)
{
	char dir[1024];
	int r = 0;

	folder(dir, sizeof(dir));
	if (dir[0] == '\0')
		return -ENOENT;
	if (make)
		r = make_folder(dir);
	if (r == 0 && snprintf(ret, len, "%s/session", dir) >= (int)len)
		r = -ENAMETOOLONG;
	return r;
}

/* The file's text; "" when there is none. */
static int load(char **ret_text)
{
	char path[1100];
	struct stat st;
	size_t len;
	int r;

	r = file_path(path, sizeof(path), false);
	if (r == 0 && stat(path, &st) < 0)
		r = -errno;
	if (r == -ENOENT) {
		*ret_text = strdup("");
		return *ret_text ? 0 : -ENOMEM;
	}
	if (r < 0)
		return r;
	if (st.st_mode & 077)
		return -EACCES;
	return outfile_read(path, FILE_MAX_LEN, ret_text, &len);
}

/* Cuts the next line: server, expiry, token. */
static bool next_line(char **rest, char **ret_server, int64_t *ret_expires, char **ret_token)
{
	uint64_t expires;
	char *line;

	while ((line = strsep(rest, "\n"))) {
		char *server = strsep(&line, "\t"), *when = strsep(&line, "\t");

		if (!line || !when || text_parse_u64(when, INT64_MAX, &expires) < 0)
			continue;
		*ret_server = server;
		*ret_expires = (int64_t)expires;
		*ret_token = line;
		return true;
	}
	return false;
}

int tokenfile_get(const char *server, int64_t now_ms, char **ret_token)
{
	_cleanup_(freep) char *text = NULL;
	char *rest, *name, *token, *found = NULL;
	int64_t expires;
	size_t len;
	int r;

	r = load(&text);
	if (r < 0)
		return r;
	len = strlen(text);
	rest = text;
	while (next_line(&rest, &name, &expires, &token)) {
		if (strcmp(name, server) != 0 || expires <= now_ms)
			continue;
		tokenfile_free(found);
		found = strdup(token);
	}
	explicit_bzero(text, len);
	*ret_token = found;
	return 0;
}

/* Writes the file anew with the server's line replaced (token) or dropped (NULL). */
static int change(const char *server, int64_t expires_ms, const char *token)
{
	_cleanup_(freep) char *text = NULL;
	_cleanup_(text_done) struct text out = TEXT_INIT(FILE_MAX_LEN);
	_cleanup_(outfile_done) struct outfile file = {.fd = -1};
	char path[1100], *rest, *name, *old;
	int64_t expires;
	size_t len;
	int r;

	r = load(&text);
	if (r < 0 && r != -EACCES)
		return r;
	len = text ? strlen(text) : 0;
	rest = text;
	while (next_line(&rest, &name, &expires, &old))
		if (strcmp(name, server) != 0)
			text_addf(&out, "%s\t%" PRId64 "\t%s\n", name, expires, old);
	if (token)
		text_addf(&out, "%s\t%" PRId64 "\t%s\n", server, expires_ms, token);
	if (text)
		explicit_bzero(text, len);
	if (out.failed)
		return -EFBIG;
	r = file_path(path, sizeof(path), true);
	if (r == 0)
		r = outfile_open(path, true, &file);
	if (r == 0)
		r = outfile_commit(&file, out.s ? out.s : "", out.len);
	return r;
}

int tokenfile_put(const char *server, int64_t expires_ms, const char *token)
{
	return change(server, expires_ms, token);
}

int tokenfile_drop(const char *server)
{
	return change(server, 0, NULL);
}

int tokenfile_read(const char *path, char **ret_token)
{
	char *text;
	size_t len, end;
	int r;

	r = outfile_read(path, 4096, &text, &len);
	if (r < 0)
		return r;
	end = strcspn(text, "\r\n");
	explicit_bzero(text + end, len - end);
	if (end == 0) {
		free(text);
		return -EINVAL;
	}
	*ret_token = text;
	return 0;
}
