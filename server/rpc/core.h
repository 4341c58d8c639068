/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the transport's files share and nobody else sees: server, listeners,
 * loops, connections. A loop and all its connections belong to one thread; a
 * server's lists change only under its lock.
 */
#ifndef QM_CORE_H
#define QM_CORE_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/rpc/exchange.h"
#include "server/rpc/rate.h"
#include "server/rpc/server.h"
#include "server/rpc/timer.h"

struct conn;
struct lane_pool;
struct tls;
struct call;
struct h2stream;
struct live;

/* --- loop.c: a thread with h2o's event loop --- */

/* Something to run on a loop: embedded in what it is about. */
struct loop_note {
	struct {
		void *next, *prev;
	} link; /* h2o_multithread_message_t */
	void (*fn)(struct loop_note *note);
};

struct loop {
	struct server *server;
	unsigned index;
	pthread_t thread;
	bool running;
	uint64_t now_ms;               /* clock_boot_ms, once per turn */
	uint32_t turn, n_frames, walk; /* number, frames taken; walks through those who wait */
	struct timer_heap timers;
	struct timer tick;
	struct conn *conns;                  /* all open ones */
	struct conn *waiting, *waiting_last; /* for the next turn */
	struct call *calls;                  /* all unfinished ones */
	struct live *spare_calls;
	unsigned n_spare_calls;
	struct h2stream *spare_streams;
	unsigned n_spare_streams;
	atomic_uint n_conns;                     /* for others to read */
	unsigned crowd, fewest, n_before, quiet; /* of all loops, on the first; see after_crowd */
	unsigned drain;                          /* 0, then the step of loop_drain */
	bool stop, secret; /* secret: some went by in this turn; its end wipes the stack */
	int64_t date_s;    /* of the text below */
	char date[32];
	struct loop_engine *engine; /* h2o's part */
};

int loop_new(struct server *s, unsigned index, struct loop **ret) _must_check_;
int loop_start(struct loop *l) _must_check_;
/* From any thread, until loop_join. */
void loop_post(struct loop *l, struct loop_note *note);
bool loop_is_mine(const struct loop *l);
void loop_join(struct loop *l);
void loop_free(struct loop *l);
/* On the loop: takes the listening socket over. */
int loop_listen(struct loop *l, struct listener *listener, int fd) _must_check_;
void loop_unlisten(struct loop *l);
void loop_unlisten_one(struct loop *l, const struct listener *listener); /* cuts its connections */
/* h2o's context and hosts, for h2x.c: void, so that h2o's types stay in two files. */
void *loop_accept_ctx(struct loop *l);

/* --- one connection; loop.c owns the socket, h1x.c or h2x.c the protocol --- */

struct conn_ops {
	/* The socket is gone: frees the protocol's part. */
	void (*closed)(struct conn *c);
	/* Once a second. */
	void (*tick)(struct conn *c, uint64_t now_ms);
	/* 1: no new requests; 2: the last word to the peer; 3: cut. */
	void (*drain)(struct conn *c, unsigned step);
	void (*go_on)(struct conn *c); /* what conn_wait asked for; may free c */
};

struct conn {
	struct loop *loop;
	struct listener *listener;
	struct conn *prev, *next, *next_waiting;
	void *sock;      /* h2o_socket_t */
	struct tls *tls; /* of its handshake */
	const struct conn_ops *ops;
	void *protocol; /* struct h1conn or h2conn; NULL during handshake */
	struct sockaddr_storage peer;
	char peer_text[64];
	struct rate_key key;
	bool counted, peer_is_operator; /* counted: in the address table */
	bool had_request, shut, waits;
	unsigned drain, waits_since; /* the step it was last told; the walk at conn_wait */
	uint64_t born_ms, rx_ms, tx_ms;
	uint64_t age_due_ms; /* age.c's; 0: it may last */
	unsigned age_step;
	void (*on_input)(struct conn *c, const char *err);
	void (*on_written)(struct conn *c, const char *err);
};

const uint8_t *conn_input(const struct conn *c, size_t *ret_len);
void conn_consume(struct conn *c, size_t len);
/* p stays until on_written. */
void conn_write(struct conn *c, const void *p, size_t len);
void conn_read(struct conn *c, bool on);
/* Frees c, after ops->closed. */
void conn_close(struct conn *c);
/* shutdown(2): the engine's own error paths close it. */
void conn_cut(struct conn *c);
void conn_end_output(struct conn *c);
void conn_wait(struct conn *c); /* it had its share of this turn: ops->go_on in the next */

/* h1x.c and h2x.c: take over a connection whose protocol is known. -ENOMEM: caller closes. */
int h1x_begin(struct conn *c) _must_check_;
int h2x_begin(struct conn *c) _must_check_;
void h2stream_free_spare(struct loop *l);     /* at the loop's end */
int h2open_request(void *handler, void *req); /* h2o's handler, registered for every path */

/* --- exchange.c --- */

struct exchange_ops {
	void (*head)(struct exchange *x, unsigned status, const struct header *h, size_t n);
	void (*write)(struct exchange *x, const void *p, size_t len);
	void (*write_frame)(struct exchange *x, struct frame *f);
	void (*finish)(struct exchange *x, const struct header *trailers, size_t n);
	void (*mark_secret)(struct exchange *x);
	void (*reset)(struct exchange *x, uint32_t code);
	size_t (*queued)(const struct exchange *x);
	void (*pause)(struct exchange *x, bool on);
};

/*
 * Now, as the Date field has it (RFC 9110 6.6.1). Answers of gRPC go without: no client of it reads
 * one, and over HTTP/2 it would be a fifth of a small answer.
 */
const char *exchange_date(struct exchange *x);
/* Host check, then the first door that claims it. x->door is set afterwards. */
void exchange_begin(struct exchange *x, struct conn *c);
/* No door gets it: exchange_deny with this status. */
void exchange_refuse(struct exchange *x, struct conn *c, unsigned status);
/* A whole answer for errors of the transport itself: google.rpc.Status as JSON, a request id. */
void exchange_deny(struct exchange *x, unsigned status, const char *text);

/* --- listen.c --- */

struct listener {
	struct listener *next;
	struct server *server;
	enum listener_kind kind;
	char *address, *name;
	bool http2;
	gid_t admin_gid;
	struct tls *_Atomic tls; /* another one after server_change_cert */
	char *_Atomic hosts;     /* another list after server_change_hosts; NULL: any */
	struct cidr from[LISTENER_NETWORKS];
	uint16_t port;
	bool closed; /* by server_unlisten: no connection comes any more */
	int *fds;    /* one per loop, or the same one dup'ed */
	char *unlink_path;
};

int listen_open(struct server *s, const struct listener_options *o, struct listener **ret)
	_must_check_;
void listen_free(struct listener *l);

struct server_door {
	const struct door *door;
	void *owner;
};

#define SERVER_MAX_DOORS 8

struct server_counters {
	atomic_ullong conns, refused_conns, requests, calls, open_calls, cancelled, deadlines,
		abuse, refused;
};

struct server {
	struct server_options options;
	pthread_mutex_t lock;
	struct server_door doors[SERVER_MAX_DOORS];
	size_t n_doors;
	struct listener *listeners;
	struct loop **loops;
	unsigned n_loops;
	bool started, stopped;
	struct lane_pool *lane;
	struct rate *conns_by_address;
	struct rate *refused;
	atomic_uint n_conns;
	struct server_counters count;
};

#endif
