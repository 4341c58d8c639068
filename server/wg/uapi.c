/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests are "get=1" or "set=1" and key=value lines up to an empty one;
 * answers end with "errno=N" and an empty line. Keys are 64 hex digits. A set
 * is no transaction: what stands before a bad line has been applied.
 */
#include "server/wg/uapi.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/err.h"
#include "base/text.h"

#define ANSWER_TIMEOUT_S 10
#define LINE_MAX_LEN 512
#define REQUEST_MAX (64u << 20)

static int dial(const char *interface, int *ret_fd)
{
	_cleanup_(close_fdp) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	const struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};

	if (fd < 0)
		return err_origin(-errno);
	snprintf(addr.sun_path, sizeof(addr.sun_path), UAPI_DIR "/%s.sock", interface);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)))
		return err_origin(-errno);
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)))
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

bool uapi_answers(const char *interface)
{
	_cleanup_(close_fdp) int fd = -1;

	return dial(interface, &fd) == 0;
}

static int send_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_origin(errno == EAGAIN ? -ETIMEDOUT : -errno);
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Cuts the answer into lines; wiped because dumps hold keys. */
struct reader {
	int fd;
	size_t len, off;
	char buf[16384];
};

static void reader_done(struct reader *r)
{
	key_wipe_bytes(r->buf, sizeof(r->buf));
}

static int fill(struct reader *r)
{
	ssize_t n;

	memmove(r->buf, r->buf + r->off, r->len - r->off);
	r->len -= r->off;
	r->off = 0;
	do
		n = read(r->fd, r->buf + r->len, sizeof(r->buf) - r->len);
	while (n < 0 && errno == EINTR);
	/* The time is up: a daemon that hangs is none that is merely busy. */
	if (n < 0)
		return err_origin(errno == EAGAIN ? -ETIMEDOUT : -errno);
	if (n == 0)
		return err_origin(-ECONNRESET);
	r->len += (size_t)n;
	return 0;
}

/* The next line without its end, in the buffer until the next call. */
static int read_line(struct reader *r, char **ret_line)
{
	for (;;) {
		char *start = r->buf + r->off;
		char *end = memchr(start, '\n', r->len - r->off);
		int e;

		if (end) {
			*end = '\0';
			r->off = (size_t)(end - r->buf) + 1;
			*ret_line = start;
			return 0;
		}
		if (r->len - r->off >= LINE_MAX_LEN)
			return err_origin(-EBADMSG);
		e = fill(r);
		if (e)
			return e;
	}
}

/* Lines of the answer to on_line until errno; its value is the result. */
static int read_answer(int fd, int (*on_line)(struct wg_list *l, const char *line),
		       struct wg_list *l)
{
	_cleanup_(reader_done) struct reader reader = {.fd = fd};
	int result = -EBADMSG;

	for (;;) {
		char *line = NULL;
		int r = read_line(&reader, &line);

		if (r)
			return r;
		if (!line[0])
			return result;
		if (strncmp(line, "errno=", 6) == 0) {
			int number = atoi(line + 6);

			result = number > 0 ? -number : number;
		} else if (on_line) {
			r = on_line(l, line);
			if (r)
				return r;
		}
	}
}

static int request(const char *interface, const char *p, size_t len,
		   int (*on_line)(struct wg_list *l, const char *line), struct wg_list *l)
{
	_cleanup_(close_fdp) int fd = -1;
	int r;

	r = dial(interface, &fd);
	if (r)
		return r;
	r = send_all(fd, p, len);
	if (r)
		return r;
	return read_answer(fd, on_line, l);
}

static int parse_number(const char *value, uint64_t max, uint64_t *ret)
{
	return text_parse_u64(value, max, ret) ? -EBADMSG : 0;
}

static int parse_peer_line(struct wg_list *l, const char *name, const char *value)
{
	struct wg_peer *peer = &l->peers[l->n_peers - 1];
	struct cidr prefix;
	uint64_t n = 0;
	int r = 0;

	if (strcmp(name, "preshared_key") == 0)
		return key_parse_hex(value, &peer->psk) ? -EBADMSG : 0;
	if (strcmp(name, "endpoint") == 0) {
		/* A scoped or foreign form is no endpoint that we set: leave it unknown. */
		if (wg_endpoint_parse(value, &peer->endpoint))
			peer->endpoint = (struct wg_endpoint){0};
		return 0;
	}
	if (strcmp(name, "allowed_ip") == 0)
		return cidr_parse(value, &prefix) ? -EBADMSG : wglist_add_prefix(l, &prefix);
	if (strcmp(name, "last_handshake_time_sec") == 0) {
		r = parse_number(value, INT64_MAX / 1000 - 1, &n);
		peer->handshake_ms += (int64_t)n * 1000;
	} else if (strcmp(name, "last_handshake_time_nsec") == 0) {
		r = parse_number(value, 999999999, &n);
		peer->handshake_ms += (int64_t)n / 1000000;
	} else if (strcmp(name, "rx_bytes") == 0) {
		r = parse_number(value, UINT64_MAX, &peer->rx_bytes);
	} else if (strcmp(name, "tx_bytes") == 0) {
		r = parse_number(value, UINT64_MAX, &peer->tx_bytes);
	} else if (strcmp(name, "persistent_keepalive_interval") == 0) {
		r = parse_number(value, UINT16_MAX, &n);
		peer->keepalive_s = (uint16_t)n;
	}
	return r;
}

static int parse_device_line(struct wg_list *l, const char *name, const char *value)
{
	uint64_t n = 0;
	int r = 0;

	if (strcmp(name, "private_key") == 0) {
		r = key_parse_hex(value, &l->private_key) ? -EBADMSG : 0;
	} else if (strcmp(name, "listen_port") == 0) {
		r = parse_number(value, UINT16_MAX, &n);
		l->listen_port = (uint16_t)n;
	}
	return r;
}

int uapi_parse_line(struct wg_list *l, const char *line)
{
	const char *equals = strchr(line, '=');
	char name[40];
	struct key key;

	if (!equals || (size_t)(equals - line) >= sizeof(name))
		return -EBADMSG;
	memcpy(name, line, (size_t)(equals - line));
	name[equals - line] = '\0';
	if (strcmp(name, "public_key") == 0) {
		if (key_parse_hex(equals + 1, &key))
			return -EBADMSG;
		return wglist_add_peer(l, &key) ? 0 : -ENOMEM;
	}
	if (l->n_peers == 0)
		return parse_device_line(l, name, equals + 1);
	return parse_peer_line(l, name, equals + 1);
}

int uapi_get(const char *interface, struct wg_list *ret_list)
{
	static const char get[] = "get=1\n\n";
	struct wg_list l = {0};
	int r;

	r = request(interface, get, sizeof(get) - 1, uapi_parse_line, &l);
	if (r) {
		wglist_done(&l);
		return r;
	}
	*ret_list = l;
	return 0;
}

static void add_key(struct text *t, const char *name, const struct key *k)
{
	char hex[TEXT_HEX_LEN(KEY_LEN) + 1];

	text_hex(k->b, KEY_LEN, hex);
	text_addf(t, "%s=%s\n", name, hex);
	key_wipe_bytes(hex, sizeof(hex));
}

static int send_text(const char *interface, struct text *t)
{
	text_adds(t, "\n");
	if (t->failed)
		return err_origin(-ENOMEM);
	return request(interface, t->s, t->len, NULL, NULL);
}

int uapi_set_device(const char *interface, const struct key *private_key, uint16_t port)
{
	_cleanup_(text_done) struct text t = TEXT_INIT(1024);

	text_adds(&t, "set=1\n");
	if (private_key)
		add_key(&t, "private_key", private_key);
	if (port)
		text_addf(&t, "listen_port=%u\n", port);
	return send_text(interface, &t);
}

static void add_change(struct text *t, const struct wg_delta *d, const struct wg_change *c)
{
	char prefix[CIDR_TEXT_LEN + 1], endpoint[WG_ENDPOINT_TEXT_LEN];

	add_key(t, "public_key", &c->public_key);
	if (c->kind == WG_CHANGE_REMOVE) {
		text_adds(t, "remove=true\n");
		return;
	}
	if (c->kind == WG_CHANGE_UPDATE)
		text_adds(t, "update_only=true\n");
	if (c->kind == WG_CHANGE_ADD)
		text_adds(t, "replace_allowed_ips=true\n");
	if (c->flags & WG_SET_PSK)
		add_key(t, "preshared_key", &c->psk);
	if (c->flags & WG_SET_ENDPOINT)
		text_addf(t, "endpoint=%s\n", wg_endpoint_text(&c->endpoint, endpoint));
	if (c->flags & WG_SET_KEEPALIVE)
		text_addf(t, "persistent_keepalive_interval=%u\n", c->keepalive_s);
	for (size_t i = 0; i < c->n_prefixes; i++)
		text_addf(t, "allowed_ip=%s\n",
			  cidr_text(&d->prefixes[c->first_prefix + i], prefix));
	if (c->kind == WG_CHANGE_DROP) {
		add_key(t, "public_key", &c->public_key);
		text_adds(t, "remove=true\n");
	}
}

int uapi_apply(const char *interface, const struct wg_delta *d, size_t from, size_t n)
{
	_cleanup_(text_done) struct text t = TEXT_INIT(REQUEST_MAX);

	text_adds(&t, "set=1\n");
	for (size_t i = from; i < from + n; i++)
		add_change(&t, d, &d->changes[i]);
	return send_text(interface, &t);
}
