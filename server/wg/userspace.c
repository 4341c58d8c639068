/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The back end without a kernel module: wireguard-go in a session of its own.
 * It outlives us and is adopted by the next run; only wg_destroy ends it, by
 * the pid in its pid file ("pid start-time", so that a reused pid is not hit).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "server/wg/netif.h"
#include "server/wg/spawn.h"
#include "server/wg/uapi.h"
#include "server/wg/wg.h"
#include "server/wg/wgneeds.h"

#define START_TIMEOUT_MS 10000
#define END_TIMEOUT_MS 5000
#define POLL_NS 10000000L

static void nap(void)
{
	nanosleep(&(const struct timespec){.tv_nsec = POLL_NS}, NULL);
}

static void pid_path(const struct wg_options *o, char *ret, size_t size)
{
	snprintf(ret, size, "%s/%s.pid", o->state_dir, o->interface);
}

static void log_path(const struct wg_options *o, char *ret, size_t size)
{
	snprintf(ret, size, "%s/%s.log", o->state_dir, o->interface);
}

static int write_pid(const struct wg_options *o, pid_t pid)
{
	_cleanup_(fclosep) FILE *f = NULL;
	char path[512];

	pid_path(o, path, sizeof(path));
	f = fopen(path, "we");
	if (!f)
		return err_origin(-errno);
	if (fprintf(f, "%d %llu\n", (int)pid, spawn_start_time(pid)) < 0 || fflush(f))
		return err_origin(-EIO);
	return 0;
}

/* The daemon's pid if it still runs; 0: no. */
static pid_t read_pid(const struct wg_options *o)
{
	_cleanup_(fclosep) FILE *f = NULL;
	unsigned long long started = 0;
	char path[512];
	int pid = 0;

	pid_path(o, path, sizeof(path));
	f = fopen(path, "re");
	if (!f || fscanf(f, "%d %llu", &pid, &started) != 2 || pid <= 1)
		return 0;
	return spawn_start_time(pid) == started ? pid : 0;
}

static int wait_until_up(const struct wg_options *o, pid_t pid)
{
	uint64_t until = clock_boot_ms() + START_TIMEOUT_MS;

	while (clock_boot_ms() < until) {
		int status;

		if (uapi_answers(o->interface))
			return 0;
		if (waitpid(pid, &status, WNOHANG) == pid) {
			wgneeds_say_userspace(o, -EIO);
			return err_origin(-EIO);
		}
		nap();
	}
	return err_origin(-ETIMEDOUT);
}

static int open_userspace(const struct wg_options *o, bool *ret_made)
{
	char *argv[] = {(char *)o->userspace, (char *)"-f", (char *)o->interface, NULL};
	char log_file[512], kind[NETIF_KIND_LEN];
	pid_t pid;
	int r;

	/* One that died as our child would stay a zombie. */
	pid = read_pid(o);
	if (pid)
		waitpid(pid, NULL, WNOHANG);
	if (uapi_answers(o->interface)) {
		*ret_made = false;
		return 0;
	}
	if (netif_kind(o->interface, kind) == 0) {
		wgneeds_say_taken(o, wg_userspace.name);
		return err_origin(-EEXIST);
	}
	log_path(o, log_file, sizeof(log_file));
	r = spawn_daemon(argv, log_file, &pid);
	if (r) {
		wgneeds_say_userspace(o, r);
		return r;
	}
	r = write_pid(o, pid);
	if (r)
		return err_trace(r);
	r = wait_until_up(o, pid);
	if (r)
		return err_trace(r);
	log_info("wg", "%s made by %s, pid %d", o->interface, o->userspace, (int)pid);
	*ret_made = true;
	return 0;
}

/* The link goes a moment after its process. */
static int wait_until_gone(const struct wg_options *o, uint64_t until)
{
	char kind[NETIF_KIND_LEN];

	while (netif_kind(o->interface, kind) != -ENODEV) {
		if (uapi_answers(o->interface)) {
			log_error(
				"wg",
				"%s is run by a %s that this node did not start, or whose pid file "
				"is gone: end that process",
				o->interface, o->userspace);
			return err_origin(-EBUSY);
		}
		if (clock_boot_ms() >= until) {
			wgneeds_say_taken(o, wg_userspace.name);
			return err_origin(-EBUSY);
		}
		nap();
	}
	return 0;
}

static int destroy_userspace(const struct wg_options *o)
{
	uint64_t until = clock_boot_ms() + END_TIMEOUT_MS;
	pid_t pid = read_pid(o);
	char path[512];
	int r;

	if (pid && kill(pid, SIGTERM) && errno != ESRCH)
		return err_origin(-errno);
	while (pid && read_pid(o) && clock_boot_ms() < until) {
		waitpid(pid, NULL, WNOHANG);
		nap();
	}
	if (pid && read_pid(o))
		kill(pid, SIGKILL);
	pid_path(o, path, sizeof(path));
	if (unlink(path) && errno != ENOENT)
		return err_origin(-errno);
	log_path(o, path, sizeof(path));
	if (unlink(path) && errno != ENOENT)
		return err_origin(-errno);
	/* One that somebody else started, or whose pid file is gone, is not ours to end. */
	r = wait_until_gone(o, until);
	/* One of this very process: nothing is left of it. */
	if (pid)
		waitpid(pid, NULL, WNOHANG);
	return r;
}

static int set_device(const struct wg_options *o, const struct key *private_key, uint16_t port)
{
	_cleanup_(wglist_done) struct wg_list now = {0};
	bool same_key;
	int r;

	r = uapi_get(o->interface, &now);
	if (r)
		return err_trace(r);
	same_key = key_equal(&now.private_key, private_key);
	if (same_key && now.listen_port == port)
		return 0;
	r = now.listen_port == port ? 0 : wgneeds_port(port);
	if (r)
		return r;
	return uapi_set_device(o->interface, same_key ? NULL : private_key,
			       now.listen_port == port ? 0 : port);
}

static int dump(const struct wg_options *o, struct wg_list *ret_list)
{
	return uapi_get(o->interface, ret_list);
}

static int apply(const struct wg_options *o, const struct wg_delta *d, size_t from, size_t n)
{
	return uapi_apply(o->interface, d, from, n);
}

const struct wg_backend wg_userspace = {
	.name = "userspace",
	.open = open_userspace,
	.destroy = destroy_userspace,
	.set_device = set_device,
	.dump = dump,
	.apply = apply,
};
