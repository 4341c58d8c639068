/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads of the server's side no more than what tells outcomes apart: frame
 * heads, status fields (this server writes them as literals), status lines.
 */
#include "tests/attack/mutate/strike.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/uio.h>

#include "base/status.h"
#include "server/rpc/h2frame.h"
#include "tests/attack/mutate/frames.h"
#include "tests/attack/mutate/heads.h"

#define EDGES_PERCENT 4
#define STUCK_MS 30000
#define READ_MAX (1u << 18)

void strike_deal(struct strike *s, const struct strike_target *t, const struct seeds *seeds,
		 uint64_t seed, uint64_t number)
{
	static const enum strike_ending endings[] = {STRIKE_HALF, STRIKE_HALF, STRIKE_CLOSE,
						     STRIKE_RESET};
	struct octets out = s->out, in = s->in;

	*s = (struct strike){.number = number, .fd = -1, .out = out, .in = in};
	s->out.len = s->in.len = 0;
	s->dice.state = seed * 0x9e3779b97f4a7c15u + number;
	dice_roll(&s->dice);
	s->code = CODE_NONE;
	s->h2 = !dice_chance(&s->dice, t->h1_percent);
	if (s->h2 && dice_chance(&s->dice, EDGES_PERCENT))
		s->n_requests = edges_make(&s->out, &s->dice, seeds, &s->edge);
	else if (s->h2)
		s->n_requests = frames_make(&s->out, &s->dice, seeds);
	else
		s->n_requests = heads_make(&s->out, &s->dice, seeds);
	s->piece = OCTETS_MAX;
	if (s->edge != EDGE_BOMB && dice_chance(&s->dice, 15))
		s->piece = 0;
	else if (dice_chance(&s->dice, 3) && s->out.len < 1500)
		s->piece = 1;
	/* A bomb that nobody waits for says nothing, and there are few. */
	if (s->edge != EDGE_BOMB && dice_chance(&s->dice, 20))
		s->ending = dice_pick(&s->dice, endings);
}

/* --- the socket --- */

/* Addresses are many, as an attacker's would be; clients of one address share its limits. */
static void bind_somewhere(struct strike *s)
{
	struct sockaddr_in from = {.sin_family = AF_INET};
	int on = 1;

	from.sin_addr.s_addr =
		htonl(0x7f000000u | (0x10000u + (uint32_t)dice_below(&s->dice, 0xfe0000)));
	setsockopt(s->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)bind(s->fd, (struct sockaddr *)&from, sizeof(from));
}

enum strike_outcome strike_begin(struct strike *s, const struct strike_target *t, uint64_t now_ms)
{
	int family = t->address.ss_family;
	static const uint8_t h2[] = "\x02h2", h1[] = "\x08http/1.1";

	s->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return STRIKE_AGAIN;
	if (family == AF_INET)
		bind_somewhere(s);
	if (connect(s->fd, (const struct sockaddr *)&t->address, t->address_len) < 0 &&
	    errno != EINPROGRESS)
		return errno == ECONNREFUSED || errno == ENOENT ? STRIKE_GONE : STRIKE_AGAIN;
	s->began_ms = s->moved_ms = now_ms;
	if (t->tls) {
		s->ssl = SSL_new(t->tls);
		if (!s->ssl)
			abort();
		SSL_set_fd(s->ssl, s->fd);
		SSL_set_alpn_protos(s->ssl, s->h2 ? h2 : h1,
				    s->h2 ? sizeof(h2) - 1 : sizeof(h1) - 1);
		SSL_set_connect_state(s->ssl);
	}
	return STRIKE_GOING;
}

/* Bytes moved; 0: the end; -EAGAIN; another error. */
static ssize_t tls_result(const struct strike *s, int r)
{
	int e = SSL_get_error(s->ssl, r);

	ERR_clear_error();
	if (r > 0)
		return r;
	if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
		return -EAGAIN;
	return e == SSL_ERROR_ZERO_RETURN ? 0 : -ECONNRESET;
}

static ssize_t put(struct strike *s, const void *p, size_t len)
{
	ssize_t r;

	if (s->ssl)
		return tls_result(s, SSL_write(s->ssl, p, (int)len));
	r = send(s->fd, p, len, MSG_NOSIGNAL);
	return r < 0 ? -errno : r;
}

static ssize_t get(struct strike *s, void *p, size_t len)
{
	ssize_t r;

	if (s->ssl)
		return tls_result(s, SSL_read(s->ssl, p, (int)len));
	r = recv(s->fd, p, len, 0);
	return r < 0 ? -errno : r;
}

void strike_end(struct strike *s)
{
	struct linger now = {.l_onoff = 1};

	if (s->fd >= 0 && s->ending == STRIKE_RESET)
		setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	SSL_free(s->ssl);
	s->ssl = NULL;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

/* --- what came --- */

static void count_http(struct strike *s, struct strike_tally *tally, unsigned hundreds)
{
	if (hundreds >= 2)
		s->answered = true;
	if (hundreds < ARRAY_LEN(tally->http))
		tally->http[hundreds]++;
}

static void scan_h1(struct strike *s, struct strike_tally *tally)
{
	static const char start[] = "HTTP/1.1 ";
	const size_t len = sizeof(start) - 1;

	while (s->scanned + len < s->in.len) {
		const uint8_t *at =
			memmem(s->in.p + s->scanned, s->in.len - s->scanned, start, len);

		if (!at || (size_t)(at - s->in.p) + len >= s->in.len) {
			s->scanned = at ? (size_t)(at - s->in.p) : s->in.len - len;
			return;
		}
		s->scanned = (size_t)(at - s->in.p) + len;
		count_http(s, tally, at[len] - (unsigned)'0');
		s->n_ended += at[len] > '1';
	}
}

static void scan_block(struct strike *s, struct strike_tally *tally, const uint8_t *p, size_t len)
{
	static const char name[] = "grpc-status";
	const uint8_t *at = memmem(p, len, name, sizeof(name) - 1), *end = p + len;
	unsigned code = 0;

	/* The static table has some of them (RFC 7541 Appendix A, 8 to 14). */
	if (len && p[0] >= 0x88 && p[0] <= 0x8a)
		count_http(s, tally, 2);
	else if (len && p[0] >= 0x8b && p[0] <= 0x8e)
		count_http(s, tally, p[0] == 0x8b ? 3 : p[0] == 0x8e ? 5 : 4);
	else if (len > 2 && (p[0] & 0x0f) == 8)
		count_http(s, tally, p[2] - (unsigned)'0');
	if (!at)
		return;
	at += sizeof(name) - 1;
	for (size_t i = 1; at + i < end && i <= at[0] && i <= 2; i++)
		code = code * 10 + at[i] - '0';
	s->answered = true;
	s->code = code;
	tally->grpc[code < 17 ? code : 17]++;
}

static void scan_h2(struct strike *s, struct strike_tally *tally)
{
	struct h2frame f;

	while (s->in.len - s->scanned >= H2FRAME_HEAD_LEN) {
		const uint8_t *p = s->in.p + s->scanned;

		h2frame_read(p, &f);
		if (s->in.len - s->scanned < H2FRAME_HEAD_LEN + f.len)
			return;
		s->scanned += H2FRAME_HEAD_LEN + f.len;
		if (f.type == H2_HEADERS)
			scan_block(s, tally, p + H2FRAME_HEAD_LEN, f.len);
		if (f.type == H2_RST_STREAM)
			s->reset = true;
		if (f.type == H2_GOAWAY)
			s->goaway = true;
		if (f.type == H2_RST_STREAM || (f.type <= H2_HEADERS && f.flags & H2_END_STREAM))
			s->n_ended++;
	}
}

/* Who has no time may say so before the body is there. */
static bool is_lenient(const struct strike *s)
{
	switch (s->edge) {
	case EDGE_CONTINUATIONS:
		return s->answered;
	case EDGE_PADDING:
	case EDGE_BOMB:
		return s->code != CODE_NONE && s->code != GRPC_RESOURCE_EXHAUSTED &&
		       s->code != GRPC_UNAVAILABLE;
	default:
		return false;
	}
}

static enum strike_outcome verdict(const struct strike *s, bool closed)
{
	if (is_lenient(s))
		return STRIKE_LENIENT;
	if (s->answered)
		return STRIKE_ANSWERED;
	if (s->goaway)
		return STRIKE_CLOSED;
	if (s->reset)
		return STRIKE_REFUSED;
	if (closed)
		return STRIKE_CLOSED;
	return s->done_sending && s->ending != STRIKE_WAIT ? STRIKE_CUT : STRIKE_SILENT;
}

/* --- moves --- */

static enum strike_outcome receive(struct strike *s, struct strike_tally *tally, uint64_t now_ms)
{
	uint8_t buf[16384];

	for (int turns = 0; turns < 8; turns++) {
		ssize_t n = get(s, buf, sizeof(buf));

		if (n == -EAGAIN)
			break;
		if (n <= 0)
			return verdict(s, true);
		s->moved_ms = now_ms;
		if (s->in.len < READ_MAX)
			octets_add(&s->in, buf, (size_t)n);
		if (s->h2)
			scan_h2(s, tally);
		else
			scan_h1(s, tally);
	}
	return STRIKE_GOING;
}

static enum strike_outcome transmit(struct strike *s, uint64_t now_ms)
{
	size_t left = s->out.len - s->sent;
	size_t most = s->piece ? s->piece : dice_below(&s->dice, 400) + 1;
	ssize_t n;

	if (left > 0) {
		n = put(s, s->out.p + s->sent, left < most ? left : most);
		if (n == -EAGAIN || n == -ENOTCONN)
			return STRIKE_GOING;
		if (n < 0)
			return verdict(s, true);
		s->sent += (size_t)n;
		s->moved_ms = now_ms;
		if (s->sent < s->out.len)
			return STRIKE_GOING;
	}
	if (s->done_sending)
		return STRIKE_GOING;
	s->done_sending = true;
	s->finished_ms = now_ms;
	if (s->ending == STRIKE_CLOSE || s->ending == STRIKE_RESET)
		return verdict(s, false);
	if (s->ending == STRIKE_HALF)
		shutdown(s->fd, SHUT_WR);
	return STRIKE_GOING;
}

enum strike_outcome strike_move(struct strike *s, struct strike_tally *tally, uint64_t now_ms)
{
	enum strike_outcome r = receive(s, tally, now_ms);

	if (r == STRIKE_GOING)
		r = transmit(s, now_ms);
	if (r != STRIKE_GOING || !s->done_sending)
		return r;
	if (s->ending == STRIKE_HALF)
		return now_ms - s->finished_ms > STUCK_MS ? STRIKE_STUCK : STRIKE_GOING;
	if (now_ms - s->moved_ms > s->silence_ms || now_ms - s->finished_ms > s->stream_ms ||
	    s->n_ended >= s->n_requests + 1)
		return verdict(s, false);
	if (s->n_ended >= s->n_requests && now_ms - s->moved_ms > 2)
		return verdict(s, false);
	return STRIKE_GOING;
}
