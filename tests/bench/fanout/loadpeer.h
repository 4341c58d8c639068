/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One node's connection for fanout_load: HTTP/2 and gRPC by hand, as little of
 * them as an agent needs. Never blocks; its owner runs the epoll.
 */
#ifndef QM_LOADPEER_H
#define QM_LOADPEER_H

#include "base/sign.h"
#include "base/text.h"
#include "tests/bench/fanout/loadbuffer.h"

enum load_mode { LOAD_REPORT, LOAD_MUTE, LOAD_WHOLE, LOAD_POLL };
enum peer_state { PEER_DOWN, PEER_CONNECTING, PEER_SHAKING, PEER_UP };

struct loadpeer;

struct load {
	uint16_t port;
	const char *authority;
	int epoll;
	void *tls; /* SSL_CTX or NULL */
	enum load_mode mode;
	uint64_t bytes_in, bytes_out; /* of HTTP/2, without TLS */
	uint64_t n_events, n_reports, n_refused, n_lost;
	size_t n_opening; /* connections that are not made yet */
	/* A newer list was heard, was reported and answered; before is 0 the first time. */
	void (*seen)(struct loadpeer *p, uint64_t before, uint64_t generation);
	void (*reported)(struct loadpeer *p, uint64_t before, uint64_t generation);
	void (*polled)(struct loadpeer *p);
	void (*lost)(struct loadpeer *p);
};

struct loadpeer {
	struct load *load;
	size_t number;
	unsigned tenant;
	struct uuid id;
	uint8_t secret[SIGN_SECRET_LEN];
	char *token;
	int fd;
	void *ssl;
	enum peer_state state;
	bool is_back, wants_write, has_table;
	struct loadbuffer in, out;
	struct loadbuffer event, answer; /* messages of the two streams, as far as they are here */
	uint32_t next_stream, events_stream, call_stream; /* 0: none */
	enum { CALL_RENEW, CALL_REPORT, CALL_FETCH } call;
	bool call_answered, must_report, must_fetch;
	uint64_t in_since_update;
	/* What it has, and what it told of. */
	uint64_t epoch, applied, reporting, reported;
	uint8_t digest[32];
	uint8_t head[512], signature[64]; /* of the last event, for the next hello */
	size_t head_len;
	char kid[33];
	unsigned failures;
	uint32_t spread_ms;     /* as the server told last */
	uint64_t not_before_ms; /* a drain was told */
	uint64_t retry_at_ms, heartbeat_at_ms, poll_at_ms;
};

uint64_t load_now_ms(void);
int load_tls(struct load *load);

void loadpeer_init(struct loadpeer *p, struct load *load, size_t number);
void loadpeer_open(struct loadpeer *p);
void loadpeer_event(struct loadpeer *p, uint32_t events);
void loadpeer_report(struct loadpeer *p);
/* Its whole map, by GetNodePeers. */
void loadpeer_fetch(struct loadpeer *p);

#endif
