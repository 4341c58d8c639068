/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens listening sockets: one per loop with SO_REUSEPORT for TCP, one shared
 * for a Unix path. Clear text is bound to loopback addresses only.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/log.h"
#include "base/text.h"
#include "server/rpc/core.h"
#include "server/rpc/tls.h"

#define BACKLOG 1024

/* "[::]:7443", "127.0.0.1:0" -> address. Numbers only. */
static int parse(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	const char *colon = strrchr(text, ':');
	char host[64];
	uint64_t port;
	size_t len;

	if (!colon || text_parse_u64(colon + 1, 65535, &port) < 0)
		return -EINVAL;
	len = (size_t)(colon - text);
	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len == 0 || len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	struct sockaddr_in *in = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		*ret_len = sizeof(*in);
		return 0;
	}
	if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		*ret_len = sizeof(*in6);
		return 0;
	}
	return -EINVAL;
}

static bool is_loopback(const struct sockaddr_storage *sa)
{
	if (sa->ss_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)sa)->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)sa)->sin6_addr);
}

int server_check_address(enum listener_kind kind, const char *key, const char *address)
{
	struct sockaddr_storage sa;
	socklen_t len;

	if (*address == '\0')
		return 0;
	if (parse(address, &sa, &len) < 0) {
		fprintf(stderr, "%s: %s is no numeric address with a port\n", key, address);
		return -EINVAL;
	}
	if (kind == LISTENER_PLAIN && !is_loopback(&sa)) {
		fprintf(stderr, "%s: %s is not a loopback address\n", key, address);
		return -EINVAL;
	}
	return 0;
}

/* May l->fds and its names be freed by the caller: they are, by listen_free. */
static int open_tcp(struct listener *l, unsigned n)
{
	struct sockaddr_storage sa;
	socklen_t len;
	int on = 1, off = 0;
	int r = parse(l->address, &sa, &len);

	if (r < 0)
		return r;
	if (l->kind == LISTENER_PLAIN && !is_loopback(&sa))
		return -EACCES;
	for (unsigned i = 0; i < n; i++) {
		int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		l->fds[i] = fd;
		if (fd < 0)
			return -errno;
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (n > 1)
			setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
		if (sa.ss_family == AF_INET6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
		if (bind(fd, (struct sockaddr *)&sa, len) < 0 || listen(fd, BACKLOG) < 0)
			return -errno;
		getsockname(fd, (struct sockaddr *)&sa, &len); /* ":0": the rest binds the same */
	}
	l->port = ntohs(sa.ss_family == AF_INET ? ((struct sockaddr_in *)&sa)->sin_port
						: ((struct sockaddr_in6 *)&sa)->sin6_port);
	return 0;
}

/* A socket file nobody listens on is left over from a crash; one in use is not ours to take. */
static int clear_path(const struct sockaddr_un *un)
{
	_cleanup_(close_fdp) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (lstat(un->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode) || connect(fd, (const struct sockaddr *)un, sizeof(*un)) == 0)
		return -EADDRINUSE;
	return unlink(un->sun_path) < 0 ? -errno : 0;
}

static int open_unix(struct listener *l, unsigned n)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	mode_t mask;
	int r;

	if (strlen(l->address) >= sizeof(un.sun_path))
		return -ENAMETOOLONG;
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", l->address);
	r = clear_path(&un);
	if (r < 0)
		return r;
	l->fds[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fds[0] < 0)
		return -errno;
	mask = umask(0117);
	r = bind(l->fds[0], (struct sockaddr *)&un, sizeof(un)) < 0 ? -errno : 0;
	umask(mask);
	if (r < 0)
		return r;
	l->unlink_path = strdup(l->address);
	if (l->admin_gid != (gid_t)-1 && chown(l->address, (uid_t)-1, l->admin_gid) < 0)
		log_warn("rpc", "%s: group not set: %m", l->address);
	if (listen(l->fds[0], BACKLOG) < 0)
		return -errno;
	for (unsigned i = 1; i < n; i++) {
		l->fds[i] = fcntl(l->fds[0], F_DUPFD_CLOEXEC, 3);
		if (l->fds[i] < 0)
			return -errno;
	}
	return 0;
}

int listen_open(struct server *s, const struct listener_options *o, struct listener **ret)
{
	struct listener *l = calloc(1, sizeof(*l));
	struct tls *tls = NULL;
	int r = 0;

	if (!l)
		return err_origin(-ENOMEM);
	*l = (struct listener){
		.server = s,
		.kind = o->kind,
		.address = strdup(o->address),
		.name = strdup(o->name ? o->name : o->address),
		.http2 = o->http2,
		.admin_gid = o->admin_gid,
		.hosts = o->hosts ? strdup(o->hosts) : NULL,
		.fds = calloc(s->n_loops, sizeof(int)),
	};
	memcpy(l->from, o->from, sizeof(l->from));
	if (!l->address || !l->name || !l->fds || (o->hosts && !l->hosts)) {
		listen_free(l);
		return err_origin(-ENOMEM);
	}
	for (unsigned i = 0; i < s->n_loops; i++)
		l->fds[i] = -1;
	if (o->kind == LISTENER_TLS)
		r = tls_new(o->cert_file, o->key_file, o->http2, &tls);
	l->tls = tls;
	if (r == 0)
		r = o->kind == LISTENER_UNIX ? open_unix(l, s->n_loops) : open_tcp(l, s->n_loops);
	if (r < 0) {
		if (!o->quiet)
			log_error("rpc", "cannot listen on %s: %s", o->address, strerror(-r));
		listen_free(l);
		return o->quiet ? r : err_trace(r);
	}
	*ret = l;
	return 0;
}

void listen_free(struct listener *l)
{
	if (!l)
		return;
	if (l->fds)
		for (unsigned i = 0; i < l->server->n_loops; i++)
			if (l->fds[i] >= 0)
				close(l->fds[i]);
	if (l->unlink_path)
		unlink(l->unlink_path);
	tls_free(l->tls);
	free(l->hosts);
	free(l->unlink_path);
	free(l->fds);
	free(l->address);
	free(l->name);
	free(l);
}
