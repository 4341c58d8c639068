/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IPv6 forwarding makes the kernel ignore router advertisements on interfaces
 * with accept_ra = 1; those get accept_ra = 2 first, so that a host keeps its
 * address. Each switch is saved before it is changed, and only once.
 */
#include "server/wg/sysctl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"

#define ROOT "/proc/sys/net/"
#define PATH_MAX_LEN 512
#define VALUE_MAX_LEN 16

static int read_value(const char *name, char *ret)
{
	_cleanup_(fclosep) FILE *f = NULL;
	char path[PATH_MAX_LEN];

	snprintf(path, sizeof(path), ROOT "%s", name);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	if (!fgets(ret, VALUE_MAX_LEN, f))
		return -EIO;
	ret[strcspn(ret, "\n")] = '\0';
	return 0;
}

static int write_value(const char *name, const char *value)
{
	_cleanup_(close_fdp) int fd = -1;
	char path[PATH_MAX_LEN];
	size_t len = strlen(value);

	snprintf(path, sizeof(path), ROOT "%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, value, len) == (ssize_t)len ? 0 : -EIO;
}

static void saved_path(const char *state_dir, char *ret)
{
	snprintf(ret, PATH_MAX_LEN, "%s/sysctl.saved", state_dir);
}

static bool is_saved(const char *file, const char *name)
{
	_cleanup_(fclosep) FILE *f = fopen(file, "re");
	char line[PATH_MAX_LEN];
	size_t len = strlen(name);

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, name, len) == 0 && line[len] == ' ')
			return true;
	return false;
}

static int save(const char *state_dir, const char *name, const char *value)
{
	_cleanup_(fclosep) FILE *f = NULL;
	char path[PATH_MAX_LEN];

	saved_path(state_dir, path);
	if (is_saved(path, name))
		return 0;
	f = fopen(path, "ae");
	if (!f)
		return err_origin(-errno);
	return fprintf(f, "%s %s\n", name, value) < 0 || fflush(f) ? err_origin(-EIO) : 0;
}

static int set(const char *state_dir, const char *name, const char *value)
{
	char before[VALUE_MAX_LEN];
	int r;

	r = read_value(name, before);
	if (r || strcmp(before, value) == 0)
		return r;
	if (state_dir) {
		r = save(state_dir, name, before);
		if (r)
			return r;
	}
	return write_value(name, value);
}

static void keep_router_advertisements(const char *state_dir)
{
	DIR *dir = opendir(ROOT "ipv6/conf");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char name[PATH_MAX_LEN], value[VALUE_MAX_LEN];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "ipv6/conf/%s/accept_ra", entry->d_name);
		if (read_value(name, value) == 0 && strcmp(value, "1") == 0 &&
		    set(state_dir, name, "2"))
			log_warn("wg", "cannot keep router advertisements on %s", entry->d_name);
	}
	if (dir)
		closedir(dir);
}

int sysctl_forward(const char *interface, const char *state_dir)
{
	char name[PATH_MAX_LEN], value[VALUE_MAX_LEN];
	int r;

	r = set(state_dir, "ipv4/ip_forward", "1");
	if (r)
		return err_origin(r);
	/* Ends with the interface: nothing to save. */
	snprintf(name, sizeof(name), "ipv4/conf/%s/send_redirects", interface);
	r = set(NULL, name, "0");
	if (r)
		return err_origin(r);
	if (read_value("ipv6/conf/all/forwarding", value) == 0 && strcmp(value, "1") != 0) {
		keep_router_advertisements(state_dir);
		if (set(state_dir, "ipv6/conf/all/forwarding", "1"))
			log_warn("wg", "no IPv6 forwarding on this host");
	}
	return 0;
}

int sysctl_restore(const char *state_dir)
{
	char path[PATH_MAX_LEN], line[PATH_MAX_LEN];
	FILE *f;

	saved_path(state_dir, path);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? 0 : err_origin(-errno);
	while (fgets(line, sizeof(line), f)) {
		char *blank = strchr(line, ' ');

		line[strcspn(line, "\n")] = '\0';
		if (!blank || strstr(line, ".."))
			continue;
		*blank = '\0';
		/* The interface of a switch may be gone: then so is the switch. */
		if (write_value(line, blank + 1))
			log_debug("wg", "cannot restore %s", line);
	}
	fclose(f);
	return unlink(path) && errno != ENOENT ? err_origin(-errno) : 0;
}
