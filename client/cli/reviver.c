/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/reviver.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "server/store/revival.h"
#include "server/store/statedir.h"

struct reviver {
	char place[PATH_MAX - 64]; /* without slashes at its end */
	char fresh[PATH_MAX];      /* where it is made; "": nothing to remove */
	int place_fd, fresh_fd;    /* both held */
	bool there, empty;
	struct stat st; /* of the place */
};

static int drop(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static void reviver_done(struct reviver *v)
{
	if (v->fresh[0])
		nftw(v->fresh, drop, 8, FTW_DEPTH | FTW_PHYS);
	close_fdp(&v->place_fd);
	close_fdp(&v->fresh_fd);
}

static int take_place(struct reviver *v, const char *state_dir, bool force)
{
	size_t len = strlen(state_dir);
	int r;

	while (len > 1 && state_dir[len - 1] == '/')
		len--;
	if (len >= sizeof(v->place))
		return -ENAMETOOLONG;
	memcpy(v->place, state_dir, len);
	v->place[len] = '\0';
	v->there = lstat(v->place, &v->st) == 0;
	if (!v->there)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISDIR(v->st.st_mode))
		return -ENOTDIR;
	r = statedir_take(v->place, &v->place_fd);
	if (!r)
		r = statedir_is_empty(v->place, &v->empty);
	return r ? r : !v->empty && !force ? -EEXIST : 0;
}

/* As whoever has the directory now has its files. */
static int hand_over(const struct reviver *v, const struct archive *a)
{
	static const char *const own[] = {"", "keys", "store.db"};
	char path[PATH_MAX + ARCHIVE_NAME_MAX + 2];

	if (!v->there || (v->st.st_uid == geteuid() && v->st.st_gid == getegid()))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(own) + a->n_files; i++) {
		snprintf(path, sizeof(path), "%s/%s", v->fresh,
			 i < ARRAY_LEN(own) ? own[i] : a->files[i - ARRAY_LEN(own)].name);
		if (lchown(path, v->st.st_uid, v->st.st_gid) && errno != ENOENT)
			return -errno;
	}
	return 0;
}

static int sync_dir(const char *path)
{
	_cleanup_(close_fdp) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || (fsync(fd) && errno != EINVAL) ? -errno : 0;
}

static int make_fresh(struct reviver *v, const struct archive *a, int64_t made_ms)
{
	char path[PATH_MAX + 16];
	int r;

	snprintf(v->fresh, sizeof(v->fresh), "%s.restoring-XXXXXX", v->place);
	if (!mkdtemp(v->fresh)) {
		v->fresh[0] = '\0';
		return -errno;
	}
	r = statedir_take(v->fresh, &v->fresh_fd);
	if (!r)
		r = archive_unpack(a, v->fresh);
	if (r)
		return r;
	snprintf(path, sizeof(path), "%s/store.db", v->fresh);
	r = revival_run(path, made_ms, clock_wall_ms());
	if (!r)
		r = hand_over(v, a);
	snprintf(path, sizeof(path), "%s/keys", v->fresh);
	if (!r)
		r = sync_dir(path);
	return r ? r : sync_dir(v->fresh);
}

/* The old directory, now under the fresh one's name, goes aside. */
static int put_aside(struct reviver *v, char **ret_aside)
{
	char *aside;
	time_t now = (time_t)(clock_wall_ms() / 1000);
	struct tm tm;
	char when[32];

	if (v->empty)
		return 0; /* reviver_done removes it */
	gmtime_r(&now, &tm);
	strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm);
	if (asprintf(&aside, "%s.before-%s", v->place, when) < 0)
		return -ENOMEM;
	if (renameat2(AT_FDCWD, v->fresh, AT_FDCWD, aside, RENAME_NOREPLACE)) {
		int r = -errno;

		/* Back as it was. */
		if (renameat2(AT_FDCWD, v->fresh, AT_FDCWD, v->place, RENAME_EXCHANGE))
			v->fresh[0] = '\0';
		free(aside);
		return r;
	}
	v->fresh[0] = '\0';
	*ret_aside = aside;
	return 0;
}

static int put_in_place(struct reviver *v, char **ret_aside)
{
	_cleanup_(freep) char *copy = strdup(v->place);
	int r = 0;

	if (!copy)
		return -ENOMEM;
	if (!v->there) {
		if (renameat2(AT_FDCWD, v->fresh, AT_FDCWD, v->place, RENAME_NOREPLACE))
			return -errno;
		v->fresh[0] = '\0';
	} else {
		if (renameat2(AT_FDCWD, v->fresh, AT_FDCWD, v->place, RENAME_EXCHANGE))
			return -errno;
		r = put_aside(v, ret_aside);
	}
	return r ? r : sync_dir(dirname(copy));
}

int reviver_run(const struct archive *archive, int64_t made_ms, const char *state_dir, bool force,
		char **ret_aside)
{
	struct reviver v = {.place_fd = -1, .fresh_fd = -1};
	int r;

	*ret_aside = NULL;
	r = take_place(&v, state_dir, force);
	if (!r)
		r = make_fresh(&v, archive, made_ms);
	if (!r)
		r = put_in_place(&v, ret_aside);
	reviver_done(&v);
	return r;
}
