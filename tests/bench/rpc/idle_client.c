/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens N connections, each with one server stream that says nothing, and holds
 * them until its input ends: what they cost is measured at the server. Source
 * addresses are spread over 127.0.0.0/8, 500 connections each. Answers PINGs.
 *
 *   idle_client PORT N AUTHORITY PATH [--tls]
 *
 * Prints "open N" when every stream has got its head; exit 1 when one did not.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define PER_ADDRESS 500
#define FRAME_HEAD 9

struct peer {
	int fd;
	SSL *ssl;
	uint8_t rest[256]; /* of a frame that is not whole yet */
	size_t rest_len;
	int has_head;
};

static uint8_t opening[1024];
static size_t opening_len;
static size_t n_heads;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void put(const void *p, size_t len)
{
	if (opening_len + len > sizeof(opening))
		die("opening");
	memcpy(opening + opening_len, p, len);
	opening_len += len;
}

static size_t literal(uint8_t *at, const char *name, const char *value)
{
	size_t n = strlen(name), v = strlen(value);

	at[0] = 0x40; /* indexed, as clients do it: the table costs memory too */
	at[1] = (uint8_t)n;
	memcpy(at + 2, name, n);
	at[2 + n] = (uint8_t)v;
	memcpy(at + 3 + n, value, v);
	return 3 + n + v;
}

static void frame_head(uint8_t *at, size_t len, uint8_t type, uint8_t flags, uint8_t stream)
{
	const uint8_t head[FRAME_HEAD] = {(uint8_t)(len >> 16),
					  (uint8_t)(len >> 8),
					  (uint8_t)len,
					  type,
					  flags,
					  0,
					  0,
					  0,
					  stream};

	memcpy(at, head, sizeof(head));
}

/* Preface, SETTINGS, one request with an empty message, as one packet. */
static void make_opening(const char *authority, const char *path, int tls)
{
	uint8_t block[512], head[FRAME_HEAD];
	size_t n = 0;

	put("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
	frame_head(head, 0, 4, 0, 0);
	put(head, sizeof(head));
	n += literal(block + n, ":method", "POST");
	n += literal(block + n, ":scheme", tls ? "https" : "http");
	n += literal(block + n, ":path", path);
	n += literal(block + n, ":authority", authority);
	n += literal(block + n, "content-type", "application/grpc");
	n += literal(block + n, "te", "trailers");
	n += literal(block + n, "user-agent", "grpc-c++/1.51.1 grpc-c/29.0.0 (linux; chttp2)");
	n += literal(block + n, "grpc-accept-encoding", "identity, deflate, gzip");
	frame_head(head, n, 1, 4, 1);
	put(head, sizeof(head));
	put(block, n);
	frame_head(head, 5, 0, 1, 1);
	put(head, sizeof(head));
	put("\0\0\0\0\0", 5);
}

static void peer_send(struct peer *p, const void *data, size_t len)
{
	ssize_t n = p->ssl ? SSL_write(p->ssl, data, (int)len) : write(p->fd, data, len);

	if (n != (ssize_t)len)
		die("write");
}

static void take_frame(struct peer *p, const uint8_t *f, size_t len)
{
	uint8_t pong[FRAME_HEAD + 8];

	if (f[3] == 1 && f[8] == 1 && !p->has_head) {
		p->has_head = 1;
		n_heads++;
	} else if (f[3] == 6 && !(f[4] & 1) && len == 8) {
		frame_head(pong, 8, 6, 1, 0);
		memcpy(pong + FRAME_HEAD, f + FRAME_HEAD, 8);
		peer_send(p, pong, sizeof(pong));
	} else if (f[3] == 3 || f[3] == 7) {
		fprintf(stderr, "idle_client: the server ended it, frame type %d\n", f[3]);
		exit(1);
	}
}

static void peer_read(struct peer *p)
{
	size_t room = sizeof(p->rest) - p->rest_len, at = 0, len;
	ssize_t n = p->ssl ? SSL_read(p->ssl, p->rest + p->rest_len, (int)room)
			   : read(p->fd, p->rest + p->rest_len, room);

	if (n <= 0) {
		fprintf(stderr, "idle_client: a connection was closed\n");
		exit(1);
	}
	p->rest_len += (size_t)n;
	while (p->rest_len - at >= FRAME_HEAD) {
		len = (size_t)p->rest[at] << 16 | (size_t)p->rest[at + 1] << 8 | p->rest[at + 2];
		if (p->rest_len - at < FRAME_HEAD + len)
			break;
		take_frame(p, p->rest + at, len);
		at += FRAME_HEAD + len;
	}
	memmove(p->rest, p->rest + at, p->rest_len - at);
	p->rest_len -= at;
	if (p->ssl && SSL_pending(p->ssl) > 0)
		peer_read(p);
}

static void peer_open(struct peer *p, size_t i, uint16_t port, SSL_CTX *tls)
{
	uint32_t from = 0x7f010000u + (uint32_t)(i / PER_ADDRESS) * 256 + 2;
	struct sockaddr_in me = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(from)};
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1;

	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		die("socket");
	setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(p->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (bind(p->fd, (struct sockaddr *)&me, sizeof(me)) < 0 ||
	    connect(p->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("connect");
	if (tls) {
		p->ssl = SSL_new(tls);
		if (!p->ssl || SSL_set_fd(p->ssl, p->fd) != 1 || SSL_connect(p->ssl) != 1)
			die("TLS");
	}
	peer_send(p, opening, opening_len);
}

static SSL_CTX *make_tls(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (!ctx || SSL_CTX_set_alpn_protos(ctx, (const uint8_t *)"\x02h2", 3) != 0)
		die("TLS");
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	return ctx;
}

static int read_ready(int epoll)
{
	struct epoll_event events[64];
	int n = epoll_wait(epoll, events, 64, 0);

	for (int i = 0; i < n; i++)
		peer_read(events[i].data.ptr);
	return n;
}

/* Until all heads are there, or (with want == 0) until stdin ends. */
static void wait_for(int epoll, size_t want)
{
	struct pollfd input[] = {{.fd = STDIN_FILENO, .events = POLLIN},
				 {.fd = epoll, .events = POLLIN}};

	while (want == 0 || n_heads < want) {
		if (poll(input, 2, 30000) < 0)
			die("poll");
		if (input[0].revents)
			return;
		if (read_ready(epoll) <= 0 && want)
			die("no answer");
	}
}

static void raise_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		die("files");
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		die("files");
}

int main(int argc, char **argv)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int with_tls = argc == 6 && strcmp(argv[5], "--tls") == 0;

	if (argc != 5 + with_tls || epoll < 0)
		return 2;
	size_t n = strtoul(argv[2], NULL, 10);
	struct peer *peers = calloc(n, sizeof(*peers));
	SSL_CTX *tls = with_tls ? make_tls() : NULL;

	if (!peers)
		die("start");
	raise_files();
	make_opening(argv[3], argv[4], with_tls);
	for (size_t i = 0; i < n; i++) {
		struct epoll_event e = {.events = EPOLLIN, .data.ptr = &peers[i]};

		peer_open(&peers[i], i, (uint16_t)atoi(argv[1]), tls);
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, peers[i].fd, &e) < 0)
			die("epoll");
		if (i % 16 == 0)
			read_ready(epoll);
	}
	wait_for(epoll, n);
	printf("open %zu\n", n);
	fflush(stdout);
	wait_for(epoll, 0);
	return 0;
}
