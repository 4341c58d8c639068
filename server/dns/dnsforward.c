/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A task per query. Each try has a socket of its own, connected, so that the
 * kernel picks a random port and drops what others send; number, question and
 * port must fit. A loop shows as one question that the same host asks again
 * while we wait for its answer; it lives on our tries, so there are no more.
 */
#include "server/dns/dnsforward.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/dns/dnscount.h"
#include "server/dns/dnswire.h"

#define TRY_UDP_MS 1200
#define TRY_TCP_MS 2500
#define ROUNDS 2
/* The same question of one host at once: programs of one phone, but not a circle. */
#define SAME_MAX 4
#define LOOP_AFTER 3
#define DOWN_AFTER 5
#define REMEMBER_MS 60000
#define PREFIX 2

struct task {
	struct dnsevent event;
	struct dnsforward *f;
	struct task *next;
	struct dnsclient from;
	uint16_t id, sent_id;    /* the client's, ours */
	unsigned first, n_tries; /* upstream it began with */
	bool is_loop;            /* its question came back: no further try */
	uint64_t give_up_at_ms, retry_at_ms;
	size_t question_end, sent, got;
	uint8_t *answer; /* by TCP, with its length */
	size_t query_len;
	uint8_t query[]; /* with its length */
};

struct dnsforward {
	int epoll_fd;
	void (*send)(void *arg, const struct dnsclient *to, uint8_t *answer, size_t len);
	void *arg;
	struct dnscount *count;
	struct upstreams upstreams;
	struct task *tasks;
	size_t n_tasks;
	unsigned n_lost;  /* queries without an answer, in a row */
	unsigned n_loops; /* questions that came back */
	uint64_t lost_at_ms, loop_at_ms;
	unsigned good; /* upstream that answered last */
	uint8_t inbox[65536];
};

static void close_try(struct task *t)
{
	if (t->event.fd >= 0)
		close(t->event.fd);
	t->event.fd = -1;
	free(t->answer);
	t->answer = NULL;
	t->sent = t->got = 0;
}

static void end_task(struct task *t)
{
	struct task **at = &t->f->tasks;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	t->f->n_tasks--;
	close_try(t);
	free(t);
}

/* Its own words, not an upstream's. */
static size_t finish(const struct dnsclient *to, uint8_t *answer, size_t len)
{
	return to->has_edns ? dnswire_add_opt(answer, len, to->wants_dnssec) : len;
}

static void fail_task(struct task *t)
{
	struct dnsforward *f = t->f;
	uint8_t answer[DNSWIRE_UDP_LEAST];
	struct dnsclient from = t->from;
	size_t len;

	dnswire_set_u16(t->query + PREFIX, t->id);
	len = dnswire_fail(t->query + PREFIX, t->query_len, DNSWIRE_SERVFAIL, answer);
	end_task(t);
	f->send(f->arg, &from, answer, finish(&from, answer, len));
}

/* Whether it is the answer to our question; then the task is over. */
static bool take_answer(struct task *t, uint8_t *answer, size_t len)
{
	struct dnsforward *f = t->f;
	struct dnsclient from = t->from;

	if (len < t->question_end || dnswire_u16(answer) != t->sent_id || !(answer[2] & 0x80) ||
	    dnswire_u16(answer + 4) != 1 ||
	    !dnswire_same(answer, t->query + PREFIX, t->question_end))
		return false;
	/* The letters of the question as the client wrote them. */
	memcpy(answer + DNSWIRE_HEAD_LEN, t->query + PREFIX + DNSWIRE_HEAD_LEN,
	       t->question_end - DNSWIRE_HEAD_LEN);
	dnswire_set_u16(answer, t->id);
	f->n_lost = 0;
	dnscount_add(f->count, DNSCOUNT_FORWARD_ANSWERED);
	if (f->upstreams.n)
		f->good = (unsigned)((t->first + t->n_tries - 1) % f->upstreams.n);
	end_task(t);
	if (len > from.limit)
		len = finish(&from, answer, dnswire_cut(answer, len));
	f->send(f->arg, &from, answer, len);
	return true;
}

static void try_next(struct task *t);

static void read_udp(struct task *t)
{
	struct dnsforward *f = t->f;
	ssize_t len;

	while ((len = recv(t->event.fd, f->inbox, sizeof(f->inbox), 0)) >= 0)
		if (take_answer(t, f->inbox, (size_t)len))
			return;
	if (errno != EAGAIN && errno != EINTR)
		try_next(t);
}

/* > 0: there is more to come; 0: all is here; < 0: broke. */
static int read_tcp(struct task *t)
{
	size_t want = PREFIX;
	ssize_t len;

	if (!t->answer)
		t->answer = malloc(PREFIX + 65536);
	if (!t->answer)
		return -ENOMEM;
	for (;;) {
		if (t->got >= PREFIX)
			want = PREFIX + (size_t)dnswire_u16(t->answer);
		if (t->got >= PREFIX && t->got == want)
			return 0;
		len = recv(t->event.fd, t->answer + t->got, want - t->got, 0);
		if (len == 0)
			return -ECONNRESET;
		if (len < 0)
			return errno == EAGAIN || errno == EINTR ? 1 : -errno;
		t->got += (size_t)len;
	}
}

static int write_tcp(struct task *t)
{
	size_t whole = PREFIX + t->query_len;
	struct epoll_event wish = {.events = EPOLLIN, .data.ptr = &t->event};
	ssize_t len = send(t->event.fd, t->query + t->sent, whole - t->sent, MSG_NOSIGNAL);

	if (len < 0)
		return errno == EAGAIN || errno == EINTR ? 1 : -errno;
	t->sent += (size_t)len;
	if (t->sent == whole && epoll_ctl(t->f->epoll_fd, EPOLL_CTL_MOD, t->event.fd, &wish))
		return -errno;
	return 1;
}

static void on_event(struct dnsevent *event, uint32_t events)
{
	struct task *t = CONTAINER_OF(event, struct task, event);
	int r;

	if (!t->from.connection) {
		read_udp(t);
		return;
	}
	r = events & EPOLLOUT ? write_tcp(t) : read_tcp(t);
	if (r < 0)
		try_next(t);
	else if (r == 0) {
		uint8_t *answer = t->answer;

		t->answer = NULL;
		if (!take_answer(t, answer + PREFIX, t->got - PREFIX))
			try_next(t);
		free(answer);
	}
}

static int open_try(struct task *t)
{
	struct dnsforward *f = t->f;
	const struct sockaddr_storage *to =
		&f->upstreams.address[(t->first + t->n_tries - 1) % f->upstreams.n];
	int type = t->from.connection ? SOCK_STREAM : SOCK_DGRAM;
	struct epoll_event wish = {.events = t->from.connection ? EPOLLOUT : EPOLLIN,
				   .data.ptr = &t->event};

	if (getrandom(&t->sent_id, sizeof(t->sent_id), 0) != sizeof(t->sent_id))
		return -EIO;
	dnswire_set_u16(t->query, (uint16_t)t->query_len);
	dnswire_set_u16(t->query + PREFIX, t->sent_id);
	t->event.fd = socket(to->ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (t->event.fd < 0)
		return -errno;
	if (connect(t->event.fd, (const struct sockaddr *)to, upstreams_len(to)) &&
	    errno != EINPROGRESS)
		return -errno;
	if (type == SOCK_DGRAM && send(t->event.fd, t->query + PREFIX, t->query_len, 0) < 0)
		return -errno;
	return epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, t->event.fd, &wish) ? -errno : 0;
}

/* The next upstream, or the end; t may be gone. */
static void try_next(struct task *t)
{
	struct dnsforward *f = t->f;
	uint64_t now = clock_boot_ms();

	while (!t->is_loop && t->n_tries < ROUNDS * f->upstreams.n && now < t->give_up_at_ms) {
		close_try(t);
		t->n_tries++;
		t->retry_at_ms = now + (t->from.connection ? TRY_TCP_MS : TRY_UDP_MS);
		if (open_try(t) == 0)
			return;
	}
	f->n_lost++;
	dnscount_add(f->count, DNSCOUNT_FORWARD_FAILED);
	f->lost_at_ms = now;
	fail_task(t);
}

/* --- the face --- */

struct dnsforward *dnsforward_new(int epoll_fd,
				  void (*send)(void *arg, const struct dnsclient *to,
					       uint8_t *answer, size_t len),
				  void *arg, struct dnscount *count)
{
	struct dnsforward *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->epoll_fd = epoll_fd;
	f->send = send;
	f->arg = arg;
	f->count = count;
	return f;
}

void dnsforward_free(struct dnsforward *f)
{
	if (!f)
		return;
	while (f->tasks)
		end_task(f->tasks);
	free(f);
}

void dnsforward_use(struct dnsforward *f, const struct upstreams *upstreams)
{
	bool same =
		f->upstreams.n == upstreams->n &&
		memcmp(f->upstreams.address, upstreams->address, sizeof(upstreams->address)) == 0;

	f->upstreams = *upstreams;
	if (!same)
		f->n_lost = f->n_loops = 0;
}

enum verdict { ADMITTED, AGAIN, TOO_MANY, LOOP };

/* A client that waits sends its packet once more: that is no new question. */
static enum verdict admit(const struct dnsforward *f, const struct dnsclient *from,
			  const uint8_t *query, size_t end)
{
	struct cidr address = upstreams_address(&from->address);
	unsigned n = 0, same = 0;

	for (const struct task *t = f->tasks; t; t = t->next) {
		struct cidr other = upstreams_address(&t->from.address);

		if (!cidr_equal(&address, &other))
			continue;
		n++;
		if (t->question_end != end || !dnswire_same(query, t->query + PREFIX, end))
			continue;
		if (!from->connection && t->id == dnswire_u16(query) &&
		    memcmp(&from->address, &t->from.address, sizeof(from->address)) == 0)
			return AGAIN;
		if (t->is_loop)
			return LOOP;
		same++;
	}
	if (same >= SAME_MAX)
		return LOOP;
	/* A forwarder on this very host that asks us what another one waits for. */
	for (const struct task *t = f->tasks; t && from->is_self; t = t->next)
		if (!t->from.is_self && t->question_end == end &&
		    dnswire_same(query, t->query + PREFIX, end))
			return LOOP;
	return n >= LIMIT_DNS_WAITING_SOURCE || f->n_tasks >= LIMIT_DNS_WAITING ? TOO_MANY
										: ADMITTED;
}

static void note_loop(struct dnsforward *f, const uint8_t *query, size_t end)
{
	for (struct task *t = f->tasks; t; t = t->next)
		t->is_loop |= t->question_end == end && dnswire_same(query, t->query + PREFIX, end);
	if (++f->n_loops == LOOP_AFTER)
		log_warn("dns", "an upstream asks us what we ask it");
	f->loop_at_ms = clock_boot_ms();
}

void dnsforward_ask(struct dnsforward *f, const struct dnsclient *from, const uint8_t *query,
		    size_t len)
{
	uint8_t answer[DNSWIRE_UDP_LEAST];
	struct dnswire_question q;
	enum verdict verdict;
	struct task *t = NULL;

	if (dnswire_read(query, len, &q))
		return;
	verdict = admit(f, from, query, q.end);
	if (verdict == AGAIN)
		return;
	if (verdict == LOOP)
		note_loop(f, query, q.end);
	if (verdict == ADMITTED && f->upstreams.n)
		t = calloc(1, sizeof(*t) + PREFIX + len);
	if (!t) {
		dnscount_add(f->count, verdict == LOOP       ? DNSCOUNT_LOOP
				       : f->upstreams.n == 0 ? DNSCOUNT_NO_UPSTREAM
							     : DNSCOUNT_TOO_MANY);
		len = dnswire_fail(query, len, DNSWIRE_SERVFAIL, answer);
		f->send(f->arg, from, answer, finish(from, answer, len));
		return;
	}
	dnscount_add(f->count, DNSCOUNT_FORWARDED);
	t->event = (struct dnsevent){.fn = on_event, .fd = -1};
	t->f = f;
	t->from = *from;
	t->first = f->good;
	t->id = dnswire_u16(query);
	t->question_end = q.end;
	t->query_len = len;
	t->give_up_at_ms = clock_boot_ms() + LIMIT_DNS_GIVE_UP_MS;
	memcpy(t->query + PREFIX, query, len);
	t->next = f->tasks;
	f->tasks = t;
	f->n_tasks++;
	try_next(t);
}

void dnsforward_forget(struct dnsforward *f, const void *connection)
{
	for (struct task *t = f->tasks, *next; t; t = next) {
		next = t->next;
		if (t->from.connection == connection)
			end_task(t);
	}
}

/* Ending one task may close a connection and with it end others: begin anew after each. */
static struct task *first_due(struct dnsforward *f, uint64_t now_ms, uint64_t *ret_next)
{
	*ret_next = UINT64_MAX;
	for (struct task *t = f->tasks; t; t = t->next) {
		if (t->retry_at_ms <= now_ms)
			return t;
		if (t->retry_at_ms < *ret_next)
			*ret_next = t->retry_at_ms;
	}
	return NULL;
}

uint64_t dnsforward_tick(struct dnsforward *f, uint64_t now_ms)
{
	struct task *t;
	uint64_t next;

	while ((t = first_due(f, now_ms, &next))) {
		dnscount_add(f->count, DNSCOUNT_FORWARD_TIMEOUT);
		try_next(t);
	}
	return next;
}

const char *dnsforward_why(const struct dnsforward *f, uint64_t now_ms)
{
	if (f->upstreams.n == 0)
		return f->upstreams.left_own ? "the only upstream is this node itself"
					     : "no upstream for foreign names";
	if (f->n_loops >= LOOP_AFTER && now_ms - f->loop_at_ms < REMEMBER_MS)
		return "an upstream asks this node back";
	/* Who is told so stops asking, so it wears off. */
	if (f->n_lost >= DOWN_AFTER && now_ms - f->lost_at_ms < REMEMBER_MS)
		return "upstreams do not answer";
	return "";
}
