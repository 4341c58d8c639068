/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One case on its own connection, without blocking: sends its bytes in the
 * pieces it was dealt, reads what comes, and tells how it ended.
 */
#ifndef QM_STRIKE_H
#define QM_STRIKE_H

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "tests/attack/mutate/edges.h"
#include "tests/attack/mutate/octets.h"
#include "tests/attack/mutate/seeds.h"

enum strike_outcome {
	STRIKE_GOING,
	STRIKE_ANSWERED, /* an HTTP status or a gRPC status came */
	STRIKE_REFUSED,  /* RST_STREAM alone */
	STRIKE_CLOSED,   /* GOAWAY or the end, and no answer */
	STRIKE_SILENT,   /* nothing came, and the bytes wanted no answer or more bytes */
	STRIKE_CUT,      /* the case itself left without waiting */
	STRIKE_STUCK,    /* the server kept a connection whose other side was closed */
	STRIKE_LENIENT,  /* beyond a limit, and answered as if it were not */
	STRIKE_GONE,     /* nobody listens */
	STRIKE_AGAIN,    /* no room just now */
	STRIKE_N,
};

#define CODE_NONE 99

struct strike_target {
	struct sockaddr_storage address;
	socklen_t address_len;
	SSL_CTX *tls; /* NULL: clear text */
	unsigned h1_percent;
};

struct strike_tally {
	uint64_t outcomes[STRIKE_N];
	uint64_t http[6];  /* by hundreds */
	uint64_t grpc[18]; /* by code; the last is any other */
	uint64_t bytes;
};

enum strike_ending { STRIKE_WAIT, STRIKE_HALF, STRIKE_CLOSE, STRIKE_RESET };

struct strike {
	uint64_t number;
	int fd;
	SSL *ssl;
	bool h2;
	struct octets out, in;
	size_t piece; /* bytes a time at most; 0: by chance */
	size_t sent, scanned;
	size_t n_requests, n_ended;
	enum strike_ending ending;
	enum edge edge;
	unsigned code; /* of gRPC, the last that came; CODE_NONE */
	bool done_sending, answered, reset, goaway;
	/* So long nothing, or not yet all, and no more is waited for; the caller's. */
	uint64_t silence_ms, stream_ms;
	uint64_t began_ms, moved_ms, finished_ms;
	struct dice dice;
};

/* The bytes of a case; depends on nothing but these. */
void strike_deal(struct strike *s, const struct strike_target *t, const struct seeds *seeds,
		 uint64_t seed, uint64_t number);
/* STRIKE_GOING, _GONE or _AGAIN. */
enum strike_outcome strike_begin(struct strike *s, const struct strike_target *t, uint64_t now_ms);
/* Does what can be done. What it answered is added to the tally at once, how it ended is not. */
enum strike_outcome strike_move(struct strike *s, struct strike_tally *tally, uint64_t now_ms);
/* Everything but the buffers, which the next case takes over. */
void strike_end(struct strike *s);

#endif
