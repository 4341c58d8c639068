/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread: h2o's event loop, its sockets, our timers. Connections are
 * accepted and told apart here, then handed to h1x.c or h2x.c. Everything of
 * h2o that a loop needs is made and unmade on its own thread, because h2o's
 * buffers come from per-thread pools.
 */
#include "server/rpc/core.h"

#include <dlfcn.h>
#include <h2o.h>
#include <malloc.h>
#include <semaphore.h>
#include <signal.h>

#include "base/clock.h"
#include "base/key.h"
#include "base/limits.h"
#include "base/log.h"
#include "server/rpc/age.h"
#include "server/rpc/call_queue.h"
#include "server/rpc/h2engine.h"
#include "server/rpc/hosts.h"
#include "server/rpc/tls.h"

#define TICK_MS 1000
#define MAX_LISTENERS 16
#define ACCEPTS 2           /* per turn: each may have brought a flood that lasts a millisecond */
#define ACCEPTS_AT_END 1024 /* the backlog */
#define INPUT_ROOM 24576    /* a frame or a head of 16 KiB, and the 4 KiB h2o reads at once */
#define CROWD_MIN 256       /* connections; fewer are not worth a walk through the heap */
#define CROWD_QUIET 2       /* ticks without another one: the last handshake is over */
#define ACCEPT_REST 200     /* ms without accepting when descriptors have run out */

_Static_assert(sizeof(((struct loop_note *)0)->link) == sizeof(h2o_multithread_message_t),
	       "a note starts with h2o's message");

struct loop_socket {
	h2o_socket_t *sock;
	struct loop *loop;
	struct listener *listener;
	struct timer again;
};

struct loop_engine {
	h2o_context_t ctx;
	h2o_accept_ctx_t accept;
	h2o_multithread_receiver_t receiver;
	h2o_timeout_entry_t due;
	struct loop_socket sockets[MAX_LISTENERS];
	size_t n_sockets;
	sem_t ready;
};

static h2o_globalconf_t config;
static pthread_once_t config_once = PTHREAD_ONCE_INIT;
static __thread struct loop *this_loop;

static void config_make(void)
{
	h2o_hostconf_t *host;
	h2o_handler_t *handler;

	/* A program that does not export ours would leave secrets behind without a word. */
	if (dlsym(RTLD_DEFAULT, "h2o_buffer__do_free") != (void *)h2o_buffer__do_free ||
	    dlsym(RTLD_DEFAULT, "h2o_buffer_reserve") != (void *)h2o_buffer_reserve)
		log_error("rpc",
			  "the engine's buffers are not wiped: h2wipe.c is not linked in front");
	h2o_config_init(&config);
	H2O_TOKEN_HOST->http2_should_reject = 0; /* which skips it; h2head.c wants to see it */
	config.server_name = h2o_iovec_init("", 0);
	config.http1.upgrade_to_http2 = 0; /* a second way in that no tap sees */
	config.http2.idle_timeout = LIMIT_IDLE_MS;
	config.http2.graceful_shutdown_timeout = 0;
	config.http2.max_concurrent_requests_per_connection = 10 * LIMIT_STREAMS;
	config.max_request_entity_size = LIMIT_MESSAGE; /* bodies never pass here */
	host = h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
	handler = h2o_create_handler(h2o_config_register_path(host, "/", 0), sizeof(*handler));
	handler->on_req = (int (*)(h2o_handler_t *, h2o_req_t *))(void (*)(void))h2open_request;
}

#if defined(__SANITIZE_ADDRESS__)
/* h2o keeps free blocks per thread, and its queue, with no call to let them go at the end. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:h2o_mem_alloc_recycle\nleak:h2o_multithread_create_queue\n";
}
#endif

/* --- connections --- */

static h2o_socket_t *sock_of(const struct conn *c)
{
	return c->sock;
}

const uint8_t *conn_input(const struct conn *c, size_t *ret_len)
{
	*ret_len = sock_of(c)->input->size;
	return (const uint8_t *)sock_of(c)->input->bytes;
}

void conn_consume(struct conn *c, size_t len)
{
	if (len)
		explicit_bzero(sock_of(c)->input->bytes, len);
	h2o_buffer_consume(&sock_of(c)->input, len);
}

static void on_written(h2o_socket_t *sock, const char *err)
{
	struct conn *c = sock->on_close.data;

	c->tx_ms = c->loop->now_ms;
	c->on_written(c, err);
}

void conn_write(struct conn *c, const void *p, size_t len)
{
	h2o_iovec_t buf = h2o_iovec_init(p, len);

	c->tx_ms = c->loop->now_ms;
	h2o_socket_write(sock_of(c), &buf, 1, on_written);
}

static void on_input(h2o_socket_t *sock, const char *err)
{
	struct conn *c = sock->on_close.data;

	c->rx_ms = c->loop->now_ms;
	c->on_input(c, err);
}

void conn_read(struct conn *c, bool on)
{
	if (on)
		h2o_socket_read_start(sock_of(c), on_input);
	else
		h2o_socket_read_stop(sock_of(c));
}

/* Ends the protocol's part at once; the socket may still flush its TLS goodbye. */
void conn_close(struct conn *c)
{
	const struct conn_ops *ops = c->ops;

	c->ops = NULL;
	if (ops)
		ops->closed(c);
	c->protocol = NULL;
	conn_consume(c, sock_of(c)->input->size);
	h2o_socket_close(sock_of(c));
}

void conn_cut(struct conn *c)
{
	c->shut = true;
	shutdown(h2o_socket_get_fd(sock_of(c)), SHUT_RDWR);
}

void conn_end_output(struct conn *c)
{
	shutdown(h2o_socket_get_fd(sock_of(c)), SHUT_WR);
}

void conn_wait(struct conn *c)
{
	struct loop *l = c->loop;

	c->waits = true;
	c->waits_since = l->walk;
	c->next_waiting = NULL;
	if (l->waiting)
		l->waiting_last->next_waiting = c;
	else
		l->waiting = c;
	l->waiting_last = c;
}

static void stop_waiting(struct conn *c)
{
	struct loop *l = c->loop;
	struct conn **at = &l->waiting, *before = NULL;

	if (!c->waits)
		return;
	for (; *at != c; at = &(*at)->next_waiting)
		before = *at;
	*at = c->next_waiting;
	if (l->waiting_last == c)
		l->waiting_last = before;
	c->waits = false;
}

/*
 * Those who wait again bear this walk's number, stand behind all others and have their next turn.
 * Nothing but the head of the list is kept from one step to the next: what one connection does may
 * close itself and others.
 */
static void go_on(struct loop *l)
{
	const unsigned walk = ++l->walk;

	while (l->waiting && l->waiting->waits_since != walk) {
		struct conn *c = l->waiting;

		stop_waiting(c);
		if (c->ops)
			c->ops->go_on(c);
	}
}

static void conn_unlink(struct conn *c)
{
	stop_waiting(c);
	if (c->prev)
		c->prev->next = c->next;
	else
		c->loop->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
}

static void on_socket_close(void *data)
{
	struct conn *c = data;
	struct server *s = c->loop->server;

	if (c->ops)
		c->ops->closed(c);
	conn_unlink(c);
	if (c->counted)
		rate_drop(s->conns_by_address, &c->key);
	s->n_conns--;
	c->loop->n_conns--;
	tls_free(c->tls);
	free(c);
}

/* Who is at the other end of a Unix socket. */
static void conn_peer_unix(struct conn *c, int fd)
{
	struct ucred cred = {.uid = (uid_t)-1, .gid = (gid_t)-1};
	socklen_t len = sizeof(cred);
	gid_t groups[64];
	gid_t admin = c->listener->admin_gid;

	c->peer.ss_family = AF_UNIX;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		cred.uid = (uid_t)-1;
	c->peer_is_operator = cred.uid == 0;
	if (admin != (gid_t)-1 && cred.uid != (uid_t)-1) {
		len = sizeof(groups);
		if (cred.gid == admin)
			c->peer_is_operator = true;
		else if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0)
			for (size_t i = 0; i < len / sizeof(gid_t); i++)
				c->peer_is_operator |= groups[i] == admin;
	}
	snprintf(c->peer_text, sizeof(c->peer_text), "unix:%d", (int)cred.uid);
	c->key = rate_key_address((struct sockaddr *)&c->peer, cred.uid);
}

static void conn_peer(struct conn *c)
{
	struct sockaddr *sa = (struct sockaddr *)&c->peer;
	socklen_t len;

	if (c->listener->kind == LISTENER_UNIX) {
		conn_peer_unix(c, h2o_socket_get_fd(sock_of(c)));
		return;
	}
	len = h2o_socket_getpeername(sock_of(c), sa);
	if (len == 0 ||
	    getnameinfo(sa, len, c->peer_text, sizeof(c->peer_text), NULL, 0, NI_NUMERICHOST) != 0)
		snprintf(c->peer_text, sizeof(c->peer_text), "unknown");
	if (strncmp(c->peer_text, "::ffff:", 7) == 0 && strchr(c->peer_text, '.'))
		memmove(c->peer_text, c->peer_text + 7, strlen(c->peer_text + 7) + 1);
	c->key = rate_key_address(sa, 0);
}

static void begin(struct conn *c, int (*fn)(struct conn *c))
{
	if (fn(c) < 0)
		conn_close(c);
}

static void on_sniff(h2o_socket_t *sock, const char *err)
{
	static const char preface[24] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	struct conn *c = sock->on_close.data;
	size_t n = sock->input->size < sizeof(preface) ? sock->input->size : sizeof(preface);

	if (err) {
		conn_close(c);
		return;
	}
	if (n == 0)
		return;
	if (memcmp(sock->input->bytes, preface, n) != 0)
		begin(c, h1x_begin);
	else if (n == sizeof(preface) && c->listener->http2)
		begin(c, h2x_begin);
	else if (n == sizeof(preface))
		conn_close(c);
}

static void on_handshake(h2o_socket_t *sock, const char *err)
{
	struct conn *c = sock->on_close.data;

	if (err) {
		conn_close(c);
		return;
	}
	tls_free(TAKE(c->tls));
	h2o_iovec_t protocol = h2o_socket_ssl_get_selected_protocol(sock);

	c->rx_ms = c->loop->now_ms;
	if (h2o_memis(protocol.base, protocol.len, H2O_STRLIT("h2")) && c->listener->http2)
		begin(c, h2x_begin);
	else
		begin(c, h1x_begin);
}

static void conn_new(struct loop_socket *from, h2o_socket_t *sock)
{
	struct server *s = from->loop->server;
	struct conn *c = calloc(1, sizeof(*c));

	if (!c) {
		h2o_socket_close(sock);
		return;
	}
	c->loop = from->loop;
	c->listener = from->listener;
	c->sock = sock;
	c->born_ms = c->rx_ms = c->tx_ms = c->loop->now_ms;
	age_begin(c);
	c->next = c->loop->conns;
	if (c->next)
		c->next->prev = c;
	c->loop->conns = c;
	c->loop->n_conns++;
	sock->on_close.cb = on_socket_close;
	sock->on_close.data = c;
	conn_peer(c);
	s->count.conns++;
	if (!hosts_from(c->listener->from, LISTENER_NETWORKS, (struct sockaddr *)&c->peer)) {
		s->count.refused_conns++;
		s->n_conns++;
		conn_close(c);
		return;
	}
	c->counted = rate_hold(s->conns_by_address, &c->key, s->options.conns_per_address);
	if (++s->n_conns > LIMIT_CONNS || !c->counted) {
		s->count.refused_conns++;
		conn_close(c);
		return;
	}
	if (c->listener->kind == LISTENER_TLS) {
		/* h2o takes the context when the first bytes come: another one may be shown then.
		 */
		c->tls = tls_ref(c->listener->tls);
		h2o_socket_ssl_handshake(sock, tls_ctx(c->tls), NULL, on_handshake);
	} else {
		h2o_socket_read_start(sock, on_sniff);
	}
}

static void on_accept(h2o_socket_t *listening, const char *err)
{
	struct loop_socket *from = listening->data;
	h2o_socket_t *sock;

	if (err)
		return;
	for (int i = 0; i < ACCEPTS; i++) {
		sock = h2o_evloop_socket_accept(listening);
		if (sock) {
			conn_new(from, sock);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
			log_error("rpc", "cannot accept: %m");
			h2o_socket_read_stop(listening);
			if (timer_set(&from->loop->timers, &from->again,
				      from->loop->now_ms + ACCEPT_REST) < 0)
				h2o_socket_read_start(listening, on_accept);
			return;
		} else {
			return;
		}
	}
}

static void accept_again(struct timer *t)
{
	struct loop_socket *from = CONTAINER_OF(t, struct loop_socket, again);

	h2o_socket_read_start(from->sock, on_accept);
}

int loop_listen(struct loop *l, struct listener *listener, int fd)
{
	struct loop_engine *e = l->engine;

	struct loop_socket *s = e->sockets;

	while (s < e->sockets + e->n_sockets && s->sock)
		s++;
	if (s == e->sockets + MAX_LISTENERS) {
		close(fd);
		return err_origin(-ENFILE);
	}
	if (s == e->sockets + e->n_sockets)
		e->n_sockets++;
	*s = (struct loop_socket){.loop = l, .listener = listener, .again = {.fn = accept_again}};
	s->sock = h2o_evloop_socket_create(e->ctx.loop, fd, H2O_SOCKET_FLAG_DONT_READ);
	s->sock->data = s;
	h2o_socket_read_start(s->sock, on_accept);
	return 0;
}

/* For those the kernel has let in already a closed listener would be a reset. */
static void accept_rest(struct loop_socket *from)
{
	h2o_socket_t *sock;

	for (int i = 0; i < ACCEPTS_AT_END; i++) {
		sock = h2o_evloop_socket_accept(from->sock);
		if (!sock)
			return;
		conn_new(from, sock);
	}
}

/* Its place stays, for the next one. */
static void stop_accepting(struct loop *l, struct loop_socket *s)
{
	if (!s->sock)
		return;
	accept_rest(s);
	timer_clear(&l->timers, &s->again);
	h2o_socket_read_stop(s->sock);
	h2o_socket_close(s->sock);
	s->sock = NULL;
}

void loop_unlisten(struct loop *l)
{
	struct loop_engine *e = l->engine;

	for (size_t i = 0; i < e->n_sockets; i++)
		stop_accepting(l, &e->sockets[i]);
	e->n_sockets = 0;
}

void loop_unlisten_one(struct loop *l, const struct listener *listener)
{
	struct loop_engine *e = l->engine;

	for (size_t i = 0; i < e->n_sockets; i++)
		if (e->sockets[i].listener == listener)
			stop_accepting(l, &e->sockets[i]);
	for (struct conn *c = l->conns; c; c = c->next)
		if (c->listener == listener)
			conn_cut(c);
}

/* --- the thread --- */

void *loop_accept_ctx(struct loop *l)
{
	return &l->engine->accept;
}

static void on_notes(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
	(void)receiver;
	while (!h2o_linklist_is_empty(messages)) {
		struct loop_note *note = (struct loop_note *)messages->next;

		h2o_linklist_unlink(messages->next);
		note->fn(note);
	}
}

void loop_post(struct loop *l, struct loop_note *note)
{
	note->link.next = note->link.prev = NULL;
	h2o_multithread_send_message(&l->engine->receiver, (h2o_multithread_message_t *)note);
}

bool loop_is_mine(const struct loop *l)
{
	return this_loop == l;
}

static void on_due(h2o_timeout_entry_t *entry)
{
	struct loop_engine *e = CONTAINER_OF(entry, struct loop_engine, due);
	struct loop *l = this_loop;

	(void)e;
	l->now_ms = clock_boot_ms();
	timer_run(&l->timers, l->now_ms);
	go_on(l); /* here, because h2o frees what is closed outside of its run while it still needs
		     it */
}

/*
 * When most of many have left, or many have come and their handshakes are over: malloc would keep
 * for ever what they needed.
 * Counted are the most and the fewest since memory was last given back, and ticks in a row that
 * brought none.
 */
static void after_crowd(struct loop *l)
{
	unsigned n = l->server->n_conns;
	bool left, came;

	if (l->index)
		return;
	l->quiet = n > l->n_before ? 0 : l->quiet + 1;
	l->n_before = n;
	l->crowd = n > l->crowd ? n : l->crowd;
	l->fewest = n < l->fewest ? n : l->fewest;
	left = l->crowd >= CROWD_MIN && n <= l->crowd / 4;
	came = n - l->fewest >= CROWD_MIN && l->quiet >= CROWD_QUIET;
	if (!left && !came)
		return;
	malloc_trim(0);
	l->crowd = l->fewest = n;
}

static void on_tick(struct timer *t)
{
	struct loop *l = CONTAINER_OF(t, struct loop, tick);

	for (struct conn *c = l->conns, *next; c; c = next) {
		next = c->next;
		if (c->ops)
			age_tick(c, l->now_ms);
		else if (!c->shut && l->now_ms - c->born_ms > LIMIT_HANDSHAKE_MS)
			conn_cut(c);
	}
	after_crowd(l);
	if (timer_set(&l->timers, &l->tick, l->now_ms + TICK_MS) < 0)
		log_error("rpc", "out of memory: loop %u stops checking its connections", l->index);
}

/*
 * h2o counts its timeouts in wall time. When that jumps back, entries would
 * wait for it to come round again, and with them every write.
 */
static void mend_timeouts(h2o_evloop_t *ev, uint64_t before)
{
	if (h2o_now(ev) >= before)
		return;
	for (h2o_linklist_t *n = ev->_timeouts.next; n != &ev->_timeouts; n = n->next) {
		h2o_timeout_t *t = H2O_STRUCT_FROM_MEMBER(h2o_timeout_t, _link, n);

		for (h2o_linklist_t *m = t->_entries.next; m != &t->_entries; m = m->next) {
			h2o_timeout_entry_t *entry =
				H2O_STRUCT_FROM_MEMBER(h2o_timeout_entry_t, _link, m);

			if (entry->registered_at > h2o_now(ev))
				entry->registered_at = h2o_now(ev);
		}
	}
}

static void turn(struct loop *l)
{
	struct loop_engine *e = l->engine;
	uint64_t next = timer_next(&l->timers);
	uint64_t before = h2o_now(e->ctx.loop);
	uint64_t wait = TICK_MS;

	l->turn++;
	l->n_frames = 0;
	if (l->waiting || next <= l->now_ms)
		wait = 0;
	else if (next - l->now_ms < wait)
		wait = next - l->now_ms;
	/* Timers run inside h2o's, so that what they write is flushed in the same turn. */
	if (wait == 0 && !h2o_timeout_is_linked(&e->due))
		h2o_timeout_link(e->ctx.loop, &e->ctx.zero_timeout, &e->due);
	h2o_evloop_run(e->ctx.loop, (int32_t)wait);
	l->now_ms = clock_boot_ms();
	mend_timeouts(e->ctx.loop, before);
	if (l->secret)
		key_wipe_stack();
	l->secret = false;
}

static void unmake(struct loop_engine *e)
{
	h2o_evloop_t *ev = e->ctx.loop;

	if (h2o_timeout_is_linked(&e->due))
		h2o_timeout_unlink(&e->due);
	h2o_evloop_run(ev, 0); /* frees sockets closed in the last turn */
	h2o_multithread_unregister_receiver(e->ctx.queue, &e->receiver);
	h2o_context_dispose(&e->ctx);
	h2o_evloop_destroy(ev);
}

static void *run(void *arg)
{
	struct loop *l = arg;
	struct loop_engine *e = l->engine;

	this_loop = l;
	pthread_once(&config_once, config_make);
	/* What waits for the rest of its frame or head never moves, leaving a copy behind. */
	h2o_socket_buffer_prototype._initial_buf.capacity = INPUT_ROOM;
	h2o_context_init(&e->ctx, h2o_evloop_create(), &config);
	e->accept = (h2o_accept_ctx_t){.ctx = &e->ctx, .hosts = config.hosts};
	e->due.cb = on_due;
	h2o_multithread_register_receiver(e->ctx.queue, &e->receiver, on_notes);
	l->now_ms = clock_boot_ms();
	l->tick.fn = on_tick;
	if (timer_set(&l->timers, &l->tick, l->now_ms + TICK_MS) < 0)
		log_error("rpc", "out of memory: loop %u has no timers", l->index);
	sem_post(&e->ready);
	while (!l->stop || l->conns)
		turn(l);
	call_queue_free_spare(l);
	h2stream_free_spare(l);
	unmake(e);
	return NULL;
}

int loop_new(struct server *s, unsigned index, struct loop **ret)
{
	struct loop *l = calloc(1, sizeof(*l));
	struct loop_engine *e = calloc(1, sizeof(*e));

	if (!l || !e) {
		free(l);
		free(e);
		return err_origin(-ENOMEM);
	}
	*l = (struct loop){.server = s, .index = index, .engine = e};
	sem_init(&e->ready, 0, 0);
	*ret = l;
	return 0;
}

int loop_start(struct loop *l)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(&l->thread, NULL, run, l);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r < 0)
		return err_origin(r);
	l->running = true;
	while (sem_wait(&l->engine->ready) < 0)
		;
	return 0;
}

void loop_join(struct loop *l)
{
	if (!l->running)
		return;
	pthread_join(l->thread, NULL);
	l->running = false;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	timer_heap_done(&l->timers);
	sem_destroy(&l->engine->ready);
	free(l->engine);
	free(l);
}
