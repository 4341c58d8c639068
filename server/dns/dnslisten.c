/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One epoll for everything: four sockets that listen, clients' connections,
 * sockets to upstreams. Events are taken one by one, so that none is for
 * something that the one before it freed.
 */
#include "server/dns/dnslisten.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "server/dns/dnsanswer.h"
#include "server/dns/dnstcp.h"

#define N_INLETS 4
#define BATCH 32
#define LOOK_EVERY_MS 10000
#define TURN_MAX_MS 10000
#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLV_CONF_MAX 16384
#define TCP_MAX 65535
#define LOOPBACK_IFINDEX 1
/* Some thousand questions that came at once. */
#define QUEUE_LEN (1 << 20)

struct inlet {
	struct dnsevent event;
	struct dnslisten *l;
};

struct dnslisten {
	int epoll_fd;
	struct dnsevent stop;
	struct inlet inlets[N_INLETS];
	struct cidr own[2];
	char interface[IFNAMSIZ], upstream[256];
	struct dnsforward *forward;
	struct dnstcp *tcp;
	struct dnscount *count;
	pthread_t thread;
	bool is_running, must_stop;
	uint64_t look_at_ms;
	unsigned ifindex; /* of interface, as last seen */

	pthread_mutex_t lock; /* of what follows */
	struct zone *zone;
	char why[DNSFORWARD_REASON_LEN];
};

static bool is_own(const struct dnslisten *l, const struct cidr *address)
{
	for (size_t i = 0; i < ARRAY_LEN(l->own); i++)
		if (l->own[i].family == address->family &&
		    memcmp(l->own[i].addr, address->addr, address->family == CIDR_V4 ? 4 : 16) == 0)
			return true;
	return false;
}

static bool is_of_mesh(struct dnslisten *l, const struct sockaddr_storage *from)
{
	struct cidr address = upstreams_address(from);
	bool welcome;

	pthread_mutex_lock(&l->lock);
	welcome = zone_is_mesh(l->zone, &address);
	pthread_mutex_unlock(&l->lock);
	return welcome;
}

static bool is_welcome(struct dnslisten *l, const struct sockaddr_storage *from, bool is_inside)
{
	bool welcome = is_inside && is_of_mesh(l, from);

	if (!welcome)
		dnscount_add(l->count, DNSCOUNT_OUTSIDE);
	return welcome;
}

static void send_answer(void *arg, const struct dnsclient *to, uint8_t *answer, size_t len)
{
	(void)arg;
	if (to->connection)
		dnstcp_send(to->connection, answer, len);
	else if (sendto(to->fd, answer, len, 0, (const struct sockaddr *)&to->address,
			upstreams_len(&to->address)) < 0)
		log_debug("dns", "answer not sent: %s", strerror(errno));
}

static void serve(struct dnslisten *l, struct dnsclient *from, const uint8_t *query, size_t len)
{
	struct dnsanswer_packet answer;
	struct cidr address = upstreams_address(&from->address);
	const struct dnsanswer_terms terms = {.max = from->connection ? TCP_MAX : 0,
					      .forwards = true};
	enum dnsanswer what;

	pthread_mutex_lock(&l->lock);
	what = dnsanswer_make(l->zone, query, len, &terms, &answer);
	pthread_mutex_unlock(&l->lock);
	from->limit = answer.limit;
	from->has_edns = answer.has_edns;
	from->wants_dnssec = answer.wants_dnssec;
	from->is_self = is_own(l, &address);
	if (what == DNSANSWER_SEND) {
		dnscount_add_answer(l->count, answer.rcode);
		send_answer(l, from, answer.bytes, answer.len);
	} else if (what == DNSANSWER_FORWARD) {
		dnsforward_ask(l->forward, from, query, len);
	} else {
		dnscount_add(l->count, DNSCOUNT_NO_QUERY);
		if (from->connection)
			dnstcp_refuse(from->connection);
	}
}

static void serve_tcp(void *arg, const struct dnsclient *from, const uint8_t *query, size_t len)
{
	struct dnsclient client = *from;

	serve(arg, &client, query, len);
}

static void connection_gone(void *arg, const void *connection)
{
	struct dnslisten *l = arg;

	dnsforward_forget(l->forward, connection);
}

/* Which interface a packet came in by; 0: not told. */
static unsigned came_by(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		struct in_pktinfo v4;
		struct in6_pktinfo v6;

		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&v4, CMSG_DATA(c), sizeof(v4));
			return (unsigned)v4.ipi_ifindex;
		}
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&v6, CMSG_DATA(c), sizeof(v6));
			return v6.ipi6_ifindex;
		}
	}
	return 0;
}

static bool is_inside(struct dnslisten *l, unsigned ifindex)
{
	if (ifindex == 0)
		return false;
	if (ifindex == l->ifindex || ifindex == LOOPBACK_IFINDEX)
		return true;
	/* It may have been made anew. */
	l->ifindex = if_nametoindex(l->interface);
	return ifindex == l->ifindex;
}

static void on_packets(struct dnsevent *event, uint32_t events)
{
	struct dnslisten *l = CONTAINER_OF(event, struct inlet, event)->l;

	(void)events;
	for (int i = 0; i < BATCH; i++) {
		uint8_t query[DNSWIRE_QUERY_MAX], control[128];
		struct dnsclient from = {.fd = event->fd};
		struct iovec iov = {.iov_base = query, .iov_len = sizeof(query)};
		struct msghdr m = {.msg_name = &from.address,
				   .msg_namelen = sizeof(from.address),
				   .msg_iov = &iov,
				   .msg_iovlen = 1,
				   .msg_control = control,
				   .msg_controllen = sizeof(control)};
		ssize_t len = recvmsg(event->fd, &m, 0);

		if (len < 0)
			return;
		if (!is_welcome(l, &from.address, is_inside(l, came_by(&m))))
			continue;
		if (m.msg_flags & MSG_TRUNC)
			dnscount_add(l->count, DNSCOUNT_NO_QUERY);
		else
			serve(l, &from, query, (size_t)len);
	}
}

static void on_connections(struct dnsevent *event, uint32_t events)
{
	struct dnslisten *l = CONTAINER_OF(event, struct inlet, event)->l;
	struct sockaddr_storage from = {0};
	socklen_t from_len = sizeof(from);
	int fd = accept4(event->fd, (struct sockaddr *)&from, &from_len,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	if (is_welcome(l, &from, true))
		dnstcp_add(l->tcp, fd, &from);
	else
		close(fd);
}

static void on_stop(struct dnsevent *event, uint32_t events)
{
	(void)events;
	CONTAINER_OF(event, struct dnslisten, stop)->must_stop = true;
}

/* --- the thread --- */

static void look_at_upstreams(struct dnslisten *l)
{
	_cleanup_(fclosep) FILE *file = NULL;
	struct upstreams upstreams = {0};
	char text[RESOLV_CONF_MAX + 1];

	/* The list was good at the start. */
	if (l->upstream[0] && upstreams_parse(l->upstream, l->own, &upstreams))
		return;
	if (!l->upstream[0]) {
		file = fopen(RESOLV_CONF, "re");
		text[file ? fread(text, 1, RESOLV_CONF_MAX, file) : 0] = '\0';
		upstreams_read(text, l->own, &upstreams);
	}
	dnsforward_use(l->forward, &upstreams);
}

static void note_why(struct dnslisten *l, uint64_t now)
{
	const char *why = dnsforward_why(l->forward, now);

	/* One of few constants, and only this thread writes it: mostly the same. */
	if (strcmp(l->why, why) == 0)
		return;
	pthread_mutex_lock(&l->lock);
	snprintf(l->why, sizeof(l->why), "%s", why);
	pthread_mutex_unlock(&l->lock);
}

static int turn(struct dnslisten *l)
{
	uint64_t now = clock_boot_ms(), next = now + TURN_MAX_MS, at;

	if (now >= l->look_at_ms) {
		l->look_at_ms = now + LOOK_EVERY_MS;
		look_at_upstreams(l);
	}
	at = dnsforward_tick(l->forward, now);
	next = at < next ? at : next;
	at = dnstcp_tick(l->tcp, now);
	next = at < next ? at : next;
	note_why(l, now);
	return next > now ? (int)(next - now) : 0;
}

static void *run(void *arg)
{
	struct dnslisten *l = arg;

	while (!l->must_stop) {
		struct epoll_event event;

		if (epoll_wait(l->epoll_fd, &event, 1, turn(l)) == 1) {
			struct dnsevent *e = event.data.ptr;

			e->fn(e, event.events);
		}
	}
	return NULL;
}

/* --- start and end --- */

static int watch(struct dnslisten *l, struct dnsevent *event)
{
	struct epoll_event wish = {.events = EPOLLIN, .data.ptr = event};

	return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, event->fd, &wish) ? -errno : 0;
}

static socklen_t fill_address(const struct cidr *address, uint16_t port,
			      struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

	*ret = (struct sockaddr_storage){0};
	if (address->family == CIDR_V4) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		v4->sin_addr.s_addr = htonl(cidr_host4(address));
	} else {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		memcpy(&v6->sin6_addr, address->addr, 16);
	}
	return upstreams_len(ret);
}

/* Bound to an address that need not be there: the interface may come and go. */
static int open_inlet(struct inlet *inlet, const struct cidr *address, int type, uint16_t port)
{
	bool v4 = address->family == CIDR_V4;
	struct sockaddr_storage to;
	socklen_t to_len = fill_address(address, port, &to);
	int on = 1, level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
	int fd = socket(to.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int queue_len = QUEUE_LEN;

	if (fd < 0)
		return -errno;
	inlet->event.fd = fd;
	/* Beyond what the kernel gives everybody; without the right to it, as much as that. */
	if (type == SOCK_DGRAM &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &queue_len, sizeof(queue_len)))
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &queue_len, sizeof(queue_len));
	inlet->event.fn = type == SOCK_DGRAM ? on_packets : on_connections;
	if (setsockopt(fd, level, v4 ? IP_FREEBIND : IPV6_FREEBIND, &on, sizeof(on)) ||
	    (!v4 && setsockopt(fd, level, IPV6_V6ONLY, &on, sizeof(on))))
		return -errno;
	if (type == SOCK_DGRAM &&
	    setsockopt(fd, level, v4 ? IP_PKTINFO : IPV6_RECVPKTINFO, &on, sizeof(on)))
		return -errno;
	if (type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)))
		return -errno;
	if (bind(fd, (struct sockaddr *)&to, to_len))
		return -errno;
	if (type == SOCK_STREAM && listen(fd, LIMIT_DNS_CONNS))
		return -errno;
	return watch(inlet->l, &inlet->event);
}

static int open_all(struct dnslisten *l, uint16_t port)
{
	int r = 0;

	for (size_t i = 0; i < N_INLETS && !r; i++) {
		const struct cidr *address = &l->own[i / 2];

		if (!address->family)
			continue;
		r = open_inlet(&l->inlets[i], address, i % 2 ? SOCK_STREAM : SOCK_DGRAM, port);
		/* A host without IPv6 still has names. */
		if (r == -EAFNOSUPPORT && address->family == CIDR_V6)
			r = 0;
	}
	return r;
}

static int prepare(struct dnslisten *l, const struct dnslisten_options *options)
{
	const struct dnstcp_hooks hooks = {
		.ask = serve_tcp, .gone = connection_gone, .arg = l, .count = options->count};
	struct upstreams upstreams;

	memcpy(l->own, options->own, sizeof(l->own));
	snprintf(l->interface, sizeof(l->interface), "%s", options->interface);
	snprintf(l->upstream, sizeof(l->upstream), "%s", options->upstream);
	if (upstreams_parse(l->upstream, l->own, &upstreams))
		return -EINVAL;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->stop = (struct dnsevent){.fn = on_stop, .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	l->count = options->count;
	l->forward = dnsforward_new(l->epoll_fd, send_answer, l, l->count);
	l->tcp = dnstcp_new(l->epoll_fd, &hooks);
	if (l->epoll_fd < 0 || l->stop.fd < 0 || !l->forward || !l->tcp)
		return err_origin(-ENOMEM);
	return watch(l, &l->stop);
}

int dnslisten_new(const struct dnslisten_options *options, struct zone *zone,
		  struct dnslisten **ret_listen)
{
	struct dnslisten *l = calloc(1, sizeof(*l));
	int r;

	if (!l) {
		zone_free(zone);
		return err_origin(-ENOMEM);
	}
	pthread_mutex_init(&l->lock, NULL);
	l->zone = zone;
	l->epoll_fd = l->stop.fd = -1;
	for (size_t i = 0; i < N_INLETS; i++)
		l->inlets[i] = (struct inlet){.event.fd = -1, .l = l};
	r = prepare(l, options);
	if (!r)
		r = open_all(l, options->port);
	if (!r) {
		look_at_upstreams(l);
		note_why(l, clock_boot_ms());
		r = -pthread_create(&l->thread, NULL, run, l);
	}
	l->is_running = r == 0;
	if (r) {
		dnslisten_free(l);
		return r;
	}
	*ret_listen = l;
	return 0;
}

void dnslisten_free(struct dnslisten *l)
{
	uint64_t one = 1;

	if (!l)
		return;
	if (l->is_running && write(l->stop.fd, &one, sizeof(one)) == sizeof(one))
		pthread_join(l->thread, NULL);
	dnstcp_free(l->tcp);
	dnsforward_free(l->forward);
	for (size_t i = 0; i < N_INLETS; i++)
		close_fdp(&l->inlets[i].event.fd);
	close_fdp(&l->stop.fd);
	close_fdp(&l->epoll_fd);
	zone_free(l->zone);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

void dnslisten_publish(struct dnslisten *l, struct zone *zone)
{
	struct zone *old;

	pthread_mutex_lock(&l->lock);
	old = l->zone;
	l->zone = zone;
	pthread_mutex_unlock(&l->lock);
	zone_free(old);
}

void dnslisten_why(struct dnslisten *l, char ret[DNSFORWARD_REASON_LEN])
{
	pthread_mutex_lock(&l->lock);
	memcpy(ret, l->why, DNSFORWARD_REASON_LEN);
	pthread_mutex_unlock(&l->lock);
}
