/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one peer may cost us: the one table of transport limits, each with its
 * reason. Rates are buckets: so many at once, refilled by so many a second.
 * They hold on every listener, for operators too: a loop must stay alive.
 */
#ifndef QM_LIMITS_H
#define QM_LIMITS_H

/* --- request heads --- */
/* A browser sends 15, a gRPC client 8; a "bomb" of table references sends thousands. */
#define LIMIT_FIELDS 64
/* Raw and decoded; also what keeps a hostile name off any stack. */
#define LIMIT_HEAD_BYTES 16384
/* 16 KiB fit one frame; clients that split do it once. */
#define LIMIT_CONTINUATIONS 8
/* Slow heads: a head is one packet; ten seconds are for lost ones. */
#define LIMIT_HEAD_MS 10000
/* TLS handshake and HTTP/2 preface. */
#define LIMIT_HANDSHAKE_MS 10000

/* --- bodies --- */
/* A whole unary request; 4 MiB in a minute is 70 KB/s. */
#define LIMIT_BODY_MS 60000
/* A REST body when no method names its own limit yet. */
#define LIMIT_MESSAGE (4u << 20)
/* Receive windows: a slow handler holds this much of one stream, of one connection. */
#define LIMIT_STREAM_WINDOW (256u << 10)
#define LIMIT_CONN_WINDOW (1u << 20)
/* Arena of a call beside the body. */
#define LIMIT_CALL_ARENA (1u << 20)

/*
 * Answered before the body was there (HTTP/1.1): closing on bytes that still come would be a TCP
 * reset, which takes the answer out of the peer's hands. So they are read for a while yet, as long
 * as they come.
 */
#define LIMIT_LINGER_MS 30000
#define LIMIT_LINGER_REST_MS 5000

/* --- answers --- */
/* A peer that takes nothing of what waits for it (zero windows) loses the connection. */
#define LIMIT_STALL_MS 60000
/* A stream whose peer reads too slowly ends here instead of eating memory. */
#define LIMIT_QUEUE_BYTES (8u << 20)
/* Our header blocks fit one frame of the smallest size a peer may demand. */
#define LIMIT_ANSWER_HEAD 16000

/* --- connections --- */
/* A connection that never asked anything. */
#define LIMIT_SILENT_MS 60000
/* HTTP/1.1 between two requests; HTTP/2 without a stream. */
#define LIMIT_IDLE_MS 300000
/* HTTP/2 peers with streams are pinged after silence, closed when they do not answer. */
#define LIMIT_PING_AFTER_MS 30000
#define LIMIT_PING_WAIT_MS 20000
/*
 * Keepalive of clients (gRFC A8). Nodes behind a NAT may ping from 10 s on; a tenth less, because
 * what left in time may arrive bunched. Without a stream there is nothing to keep alive: browsers
 * look after a minute. Whoever is quicker has so many strikes; what we send takes them back.
 */
#define LIMIT_PING_EVERY_MS 9000
#define LIMIT_PING_IDLE_EVERY_MS 50000
#define LIMIT_PING_STRIKES 2
/*
 * A connection past its age: from the first GOAWAY to the second, which is a round trip at the
 * worst; and from the end of its calls' grace to the cut, for the answers that end them.
 */
#define LIMIT_GOAWAY_REST_MS 1000
#define LIMIT_LAST_ANSWERS_MS 5000
/* An office behind one address has hundreds of devices; IPv6 counts by /64. */
#define LIMIT_CONNS_PER_ADDRESS 1024
#define LIMIT_CONNS 16384
/* h2o's constant. */
#define LIMIT_STREAMS 100

/* --- frames: at once, per second --- */
/* Rapid reset (CVE-2023-44487): honest clients cancel a handful. */
#define LIMIT_RESETS 200, 50
/* MadeYouReset (CVE-2025-8671): errors that make the server reset. */
#define LIMIT_STREAM_ERRORS 50, 5
/* gRPC probes bandwidth with one PING per round trip, while it is sent data. */
#define LIMIT_PINGS 200, 100
#define LIMIT_SETTINGS 50, 5
#define LIMIT_PRIORITIES 200, 50
/* Each answered DATA frame and each request earns more. */
#define LIMIT_WINDOW_UPDATES 2000, 500
#define LIMIT_EMPTY_DATA 100, 10
#define LIMIT_UNKNOWN_FRAMES 100, 10
/* Frames for streams that are over. */
#define LIMIT_STALE_FRAMES 2000, 500

/* --- refused attempts (sign-in, creation): per minute, user and address --- */
#define LIMIT_REFUSED_PER_MIN 300

#endif
