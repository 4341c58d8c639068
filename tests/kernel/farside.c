/* SPDX-License-Identifier: Apache-2.0 */
/* One byte asks; answers are structs. Nothing here measures time but to give up. */
#include "tests/kernel/farside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "server/wg/netif.h"
#include "server/wg/spawn.h"

#define ECHO_TIMEOUT_S 10
#define CHUNK_LEN 512
#define PACE_US 5000

struct greeting {
	struct key near_public, psk;
};

static int read_all(int fd, void *p, size_t len)
{
	char *at = p;

	while (len) {
		ssize_t n = read(fd, at, len);

		if (n <= 0)
			return -EIO;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_all(int fd, const void *p, size_t len)
{
	return write(fd, p, len) == (ssize_t)len ? 0 : -EIO;
}

/* --- there --- */

static int dial(int type)
{
	const struct timeval timeout = {.tv_sec = ECHO_TIMEOUT_S};
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(FARSIDE_PORT)};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, "10.77.0.1", &to.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* A chunk there and back; late echoes of earlier datagrams do not count. */
static bool is_echoed(int fd, unsigned number)
{
	unsigned out[CHUNK_LEN / sizeof(unsigned)], back[CHUNK_LEN / sizeof(unsigned)];
	size_t got = 0;

	for (size_t i = 0; i < ARRAY_LEN(out); i++)
		out[i] = number + (unsigned)i;
	if (send(fd, out, sizeof(out), MSG_NOSIGNAL) != (ssize_t)sizeof(out))
		return false;
	while (got < sizeof(back)) {
		ssize_t n = recv(fd, (char *)back + got, sizeof(back) - got, 0);

		if (n <= 0)
			return false;
		got += (size_t)n;
		if (got == sizeof(back) && back[0] < number)
			got = 0;
	}
	return memcmp(out, back, sizeof(out)) == 0;
}

static bool is_told_to_stop(int in)
{
	struct pollfd p = {.fd = in, .events = POLLIN};

	return poll(&p, 1, 0) != 0;
}

static void probe(int in, int out, char kind)
{
	struct farside_count count = {0};
	int fd = dial(kind == 't' ? SOCK_STREAM : SOCK_DGRAM);
	char stop;

	while (!is_told_to_stop(in)) {
		count.sent++;
		if (fd >= 0 && is_echoed(fd, count.sent * CHUNK_LEN))
			count.echoed++;
		else if (kind == 't' || fd < 0)
			break;
		usleep(PACE_US);
	}
	if (fd >= 0)
		close(fd);
	if (read_all(in, &stop, 1) || write_all(out, &count, sizeof(count)))
		_exit(3);
}

static int make_interface(struct wg *wg, const struct key *private_key, const struct greeting *g)
{
	_cleanup_(wgdelta_done) struct wg_delta d = {0};
	struct cidr address, range;
	struct wg_change *c;
	bool made;

	if (cidr_parse("192.0.2.2/24", &address) || netif_add_address("vfar", &address) ||
	    netif_up("vfar", 1500) || netif_up("lo", 65536))
		return -1;
	if (wg_open(wg, &made) || !made || wg_set_device(wg, private_key, 51821))
		return -2;
	c = wgdelta_add(&d, WG_CHANGE_ADD, &g->near_public);
	c->flags = WG_SET_PSK | WG_SET_ENDPOINT | WG_SET_KEEPALIVE;
	c->psk = g->psk;
	c->keepalive_s = 1;
	if (wg_endpoint_parse("192.0.2.1:51820", &c->endpoint) ||
	    cidr_parse("10.77.0.0/16", &range) || wgdelta_add_prefix(&d, &range) ||
	    wg_apply(wg, &d))
		return -3;
	if (cidr_parse("10.77.0.2/16", &address) || netif_add_address("wg-far", &address) ||
	    netif_up("wg-far", 1420))
		return -4;
	return 0;
}

static int be_far(int in, int out, struct wg *wg)
{
	struct key private_key, public_key;
	struct greeting greeting;
	char kind = 0;
	int r;

	key_make(&private_key, &public_key);
	if (write_all(out, &public_key, sizeof(public_key)) ||
	    read_all(in, &greeting, sizeof(greeting)))
		return 3;
	r = make_interface(wg, &private_key, &greeting);
	if (write_all(out, &r, sizeof(r)) || r)
		return 3;
	while (read_all(in, &kind, 1) == 0 && kind != 'q')
		probe(in, out, kind);
	return wg_destroy(wg) ? 4 : 0;
}

/* --- here --- */

int farside_start(struct farside *f, const struct wg_backend *backend, const char *state_dir)
{
	const struct wg_options options = {.interface = "wg-far", .state_dir = state_dir};
	int down[2], up[2];

	*f = (struct farside){.pid = -1, .echo_pid = -1};
	if (pipe(down) || pipe(up))
		return -errno;
	f->pid = fork();
	if (f->pid < 0)
		return -errno;
	if (f->pid == 0) {
		struct wg *wg = NULL;
		int r;

		close(down[1]);
		close(up[0]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) || wg_new(&options, backend, &wg))
			_exit(2);
		r = be_far(down[0], up[1], wg);
		wg_free(wg);
		_exit(r);
	}
	close(down[0]);
	close(up[1]);
	f->to = down[1];
	f->from = up[0];
	return read_all(f->from, &f->public_key, sizeof(f->public_key));
}

int farside_connect(struct farside *f, const struct key *near_public, const struct key *psk)
{
	const struct greeting greeting = {.near_public = *near_public, .psk = *psk};
	char pid[16];
	char *argv[] = {(char *)"ip",
			(char *)"link",
			(char *)"add",
			(char *)"vnear",
			(char *)"type",
			(char *)"veth",
			(char *)"peer",
			(char *)"name",
			(char *)"vfar",
			(char *)"netns",
			pid,
			NULL};
	struct cidr address;
	int r;

	snprintf(pid, sizeof(pid), "%d", (int)f->pid);
	if (spawn_run(argv, NULL, NULL) || cidr_parse("192.0.2.1/24", &address) ||
	    netif_add_address("vnear", &address) || netif_up("vnear", 1500))
		return -EIO;
	if (write_all(f->to, &greeting, sizeof(greeting)) || read_all(f->from, &r, sizeof(r)))
		return -EIO;
	return r;
}

static void echo_stream(int listener)
{
	int fd = accept(listener, NULL, NULL);
	char buf[4096];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (write(fd, buf, (size_t)n) != n)
			break;
	close(fd);
}

static void echo(int listener, int datagrams)
{
	struct pollfd p[] = {{.fd = listener, .events = POLLIN},
			     {.fd = datagrams, .events = POLLIN}};

	while (poll(p, ARRAY_LEN(p), -1) > 0) {
		struct sockaddr_in from;
		socklen_t len = sizeof(from);
		char buf[2048];
		ssize_t n;

		if (p[0].revents)
			echo_stream(listener);
		if (!p[1].revents)
			continue;
		n = recvfrom(datagrams, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len);
		if (n > 0 &&
		    sendto(datagrams, buf, (size_t)n, 0, (struct sockaddr *)&from, len) < 0)
			continue;
	}
}

int farside_serve_echo(struct farside *f)
{
	const struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(FARSIDE_PORT)};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int datagrams = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int on = 1;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (const struct sockaddr *)&at, sizeof(at)) || listen(listener, 4) ||
	    bind(datagrams, (const struct sockaddr *)&at, sizeof(at)))
		return -errno;
	f->echo_pid = fork();
	if (f->echo_pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(f->to);
		close(f->from);
		echo(listener, datagrams);
		_exit(0);
	}
	close(listener);
	close(datagrams);
	return f->echo_pid < 0 ? -errno : 0;
}

void farside_probe(struct farside *f, char kind)
{
	if (write_all(f->to, &kind, 1))
		fprintf(stderr, "farside: gone\n");
}

struct farside_count farside_stop_probe(struct farside *f)
{
	struct farside_count count = {0};

	if (write_all(f->to, "s", 1) || read_all(f->from, &count, sizeof(count)))
		fprintf(stderr, "farside: gone\n");
	return count;
}

int farside_end(struct farside *f)
{
	int status = -1;

	if (f->echo_pid > 0) {
		kill(f->echo_pid, SIGKILL);
		waitpid(f->echo_pid, NULL, 0);
	}
	if (write_all(f->to, "q", 1))
		kill(f->pid, SIGKILL);
	waitpid(f->pid, &status, 0);
	close(f->to);
	close(f->from);
	return status;
}
