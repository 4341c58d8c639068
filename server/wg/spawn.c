/* SPDX-License-Identifier: Apache-2.0 */
/*
 * posix_spawn, because a daemon with threads must not run code between fork
 * and exec. Children inherit no descriptor but 0, 1 and 2.
 */
#include "server/wg/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"

#define RUN_TIMEOUT_MS 15000

extern char **environ;

struct plan {
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
};

static void plan_init(struct plan *p, short flags)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&p->actions);
	posix_spawnattr_init(&p->attr);
	posix_spawnattr_setsigmask(&p->attr, &none);
	posix_spawnattr_setsigdefault(&p->attr, &all);
	posix_spawnattr_setflags(&p->attr,
				 (short)(flags | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
}

static void plan_done(struct plan *p)
{
	posix_spawn_file_actions_destroy(&p->actions);
	posix_spawnattr_destroy(&p->attr);
}

static int start(struct plan *p, char *const argv[], pid_t *ret_pid)
{
	posix_spawn_file_actions_addclosefrom_np(&p->actions, 3);
	return -posix_spawnp(ret_pid, argv[0], &p->actions, &p->attr, argv, environ);
}

/* Feeds input and collects output until the child closes it. */
static int converse(int in, int out_fd, const char *input, struct text *out)
{
	uint64_t until = clock_boot_ms() + RUN_TIMEOUT_MS;
	size_t left = input ? strlen(input) : 0;
	char buf[4096];

	if (!left) {
		close(in);
		in = -1;
	}
	for (;;) {
		struct pollfd fds[2] = {{.fd = out_fd, .events = POLLIN},
					{.fd = in, .events = POLLOUT}};
		uint64_t now = clock_boot_ms();
		ssize_t n;

		if (now >= until || poll(fds, 2, (int)(until - now)) == 0)
			break;
		if (in >= 0 && fds[1].revents) {
			n = write(in, input, left);
			input += n > 0 ? n : 0;
			left -= n > 0 ? (size_t)n : 0;
			if (n < 0 || left == 0) {
				close(in);
				in = -1;
			}
		}
		if (!fds[0].revents)
			continue;
		n = read(out_fd, buf, sizeof(buf));
		if (n <= 0) {
			if (in >= 0)
				close(in);
			return 0;
		}
		if (out)
			text_add(out, buf, (size_t)n);
	}
	if (in >= 0)
		close(in);
	return -ETIMEDOUT;
}

static int run(char *const argv[], const char *input, struct text *out, int to[2], int from[2])
{
	struct plan plan;
	pid_t pid;
	int r, talked, status = 0;

	plan_init(&plan, 0);
	posix_spawn_file_actions_adddup2(&plan.actions, to[0], 0);
	posix_spawn_file_actions_adddup2(&plan.actions, from[1], 1);
	posix_spawn_file_actions_adddup2(&plan.actions, from[1], 2);
	r = start(&plan, argv, &pid);
	plan_done(&plan);
	close(to[0]);
	close(from[1]);
	if (r) {
		close(to[1]);
		return r;
	}
	talked = converse(to[1], from[0], input, out);
	if (talked)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (talked)
		return err_origin(talked);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int spawn_run(char *const argv[], const char *input, struct text *out)
{
	_cleanup_(close_fdp) int from_read = -1;
	int to[2], from[2];

	if (pipe2(to, O_CLOEXEC))
		return err_origin(-errno);
	if (pipe2(from, O_CLOEXEC)) {
		close(to[0]);
		close(to[1]);
		return err_origin(-errno);
	}
	from_read = from[0];
	return run(argv, input, out, to, from);
}

int spawn_daemon(char *const argv[], const char *log_file, pid_t *ret_pid)
{
	struct plan plan;
	int r;

	plan_init(&plan, POSIX_SPAWN_SETSID);
	posix_spawn_file_actions_addopen(&plan.actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&plan.actions, 1, log_file, O_WRONLY | O_CREAT | O_APPEND,
					 0600);
	posix_spawn_file_actions_adddup2(&plan.actions, 1, 2);
	r = start(&plan, argv, ret_pid);
	plan_done(&plan);
	return r ? err_origin(r) : 0;
}

unsigned long long spawn_start_time(pid_t pid)
{
	_cleanup_(fclosep) FILE *f = NULL;
	unsigned long long started = 0;
	char path[64], line[1024], *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f || !fgets(line, sizeof(line), f))
		return 0;
	/* The name in parentheses may hold anything; fields are counted behind its end. */
	p = strrchr(line, ')');
	if (!p || p[1] != ' ' || p[2] == 'Z')
		return 0;
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (!p || sscanf(p, " %llu", &started) != 1)
		return 0;
	return started;
}
