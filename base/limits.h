/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one peer may cost us: the one table of the transport's limits, each with
 * its reason. The code takes the numbers from here, `qmesh limits` prints them
 * with the reasons. They hold on every listener, for operators too: a loop must
 * stay alive. Each row is a constant LIMIT_<name>.
 */
#ifndef QM_LIMITS_H
#define QM_LIMITS_H

/* clang-format off */
#define LIMITS(ROW)                                                                                \
	/* request heads */                                                                        \
	ROW(FIELDS, 64, "fields",                                                                  \
	    "of a request head; a browser sends 15, a gRPC client 8, a bomb thousands")            \
	ROW(HEAD_BYTES, 16384, "bytes",                                                            \
	    "of a request head, raw and decoded; over twice as much ends the connection")          \
	ROW(CONTINUATIONS, 8, "frames",                                                            \
	    "more of a head; 16 KiB fit one frame, clients that split do it once")                 \
	ROW(HEAD_MS, 10000, "ms",                                                                  \
	    "for a head, which is one packet; the time is for lost ones")                          \
	ROW(HANDSHAKE_MS, 10000, "ms", "for the TLS handshake and the HTTP/2 preface")             \
	/* bodies */                                                                               \
	ROW(BODY_MS, 60000, "ms", "for a whole unary request; 4 MiB in a minute are 70 KB/s")      \
	ROW(MESSAGE, 4 << 20, "bytes",                                                             \
	    "of a request body that no method has a limit of its own for; gRPC's usual one")       \
	ROW(STREAM_WINDOW, 256 << 10, "bytes", "of one stream that a slow handler lets wait")      \
	ROW(CONN_WINDOW, 1 << 20, "bytes", "of one connection that slow handlers let wait")        \
	ROW(CALL_ARENA, 1 << 20, "bytes", "a call may use beside its body")                        \
	/*                                                                                         \
	 * Answered before the body was there (HTTP/1.1): closing on bytes that still come would   \
	 * be a TCP reset, which takes the answer out of the peer's hands.                         \
	 */                                                                                        \
	ROW(LINGER_MS, 30000, "ms",                                                                \
	    "a body is read on after an early answer; closing on it would take the answer away")   \
	ROW(LINGER_REST_MS, 5000, "ms", "of silence that end this reading on")                     \
	/* answers */                                                                              \
	ROW(STALL_MS, 60000, "ms", "a peer may take nothing of what waits for it")                 \
	ROW(QUEUE_BYTES, 8 << 20, "bytes", "that may wait for a reader; handlers send less ahead") \
	ROW(QUEUE_MS, 20000, "ms",                                                                 \
	    "more may wait, as one large answer; 64 MiB at 3 MB/s, then the stream ends")          \
	ROW(ANSWER_HEAD, 16000, "bytes",                                                           \
	    "of our header blocks; they fit one frame of the smallest size a peer may demand")     \
	/* connections */                                                                          \
	ROW(SILENT_MS, 60000, "ms", "a connection may last that never asked anything")             \
	ROW(IDLE_MS, 300000, "ms", "between two requests (HTTP/1.1), without a stream (HTTP/2)")   \
	ROW(PING_AFTER_MS, 30000, "ms", "of silence, then a peer with streams is pinged")          \
	ROW(PING_WAIT_MS, 20000, "ms", "for its answer; else the connection is closed")            \
	/* Keepalive of clients (gRFC A8): what we send takes strikes back. */                     \
	ROW(PING_EVERY_MS, 9000, "ms",                                                             \
	    "between a client's pings; NATs want 10 s, and what left in time arrives bunched")     \
	ROW(PING_IDLE_EVERY_MS, 50000, "ms",                                                       \
	    "the same without a stream; there is nothing to keep alive, browsers ask after 60 s")  \
	ROW(PING_STRIKES, 2, "pings", "that come too soon; gRFC A8's number")                      \
	ROW(GOAWAY_REST_MS, 1000, "ms", "from an old connection's first GOAWAY to its second")     \
	ROW(FAULT_MS, 5000, "ms",                                                                  \
	    "a connection that is closed for a fault is read on; closing would lose its GOAWAY")   \
	ROW(FAULT_BYTES, 1 << 20, "bytes", "of it that are read and dropped meanwhile")            \
	ROW(LAST_ANSWERS_MS, 5000, "ms", "from the end of its calls' grace to the cut")            \
	ROW(CONNS_PER_ADDRESS, 1024, "connections",                                                \
	    "of one address, or one IPv6 /64; an office behind one has hundreds of devices")       \
	ROW(CONNS, 16384, "connections", "in all; the descriptors must suffice")                   \
	ROW(STREAMS, 100, "streams", "of one connection at a time; the engine's constant")         \
	/* peer distribution */                                                                    \
	ROW(HELLOS, 2048, "hellos",                                                                \
	    "of nodes that wait at a time; who comes later is told when, so that others are heard") \
	ROW(EVENT_LOG, 256, "events",                                                              \
	    "of a tenant that are kept for streams that come back; a cut of minutes costs as many") \
	ROW(EVENT_LOG_BYTES, 1 << 20, "bytes", "of them together")                                 \
	ROW(EVENT_QUEUE, 128, "events",                                                            \
	    "that wait for a node which does not read; then they are dropped and it is resynced")  \
	ROW(EVENT_QUEUE_BYTES, 1 << 20, "bytes", "of them together; they are shared by all nodes") \
	ROW(REPORT_DEVICES, 32, "devices",                                                        \
	    "of a report; about more it counts as so many reports, for each is looked up")        \
	/* names of the mesh */                                                            \
	ROW(DNS_WAITING, 512, "questions", "that wait for upstreams; each has a socket")   \
	ROW(DNS_WAITING_SOURCE, 64, "questions", "of one member among them; a browser asks a dozen") \
	ROW(DNS_GIVE_UP_MS, 5000, "ms", "for a foreign name; resolvers ask again after as long") \
	ROW(DNS_CONNS, 64, "connections", "by TCP, each for some questions that UDP was too small for") \
	ROW(DNS_CONNS_SOURCE, 8, "connections", "of one member among them")                \
	ROW(DNS_CONN_QUESTIONS, 8, "questions", "of one connection at a time")             \
	ROW(DNS_IDLE_MS, 10000, "ms", "such a connection may last without an answer")      \
	ROW(DNS_UDP, 1232, "bytes", "of an answer by UDP; more would be cut to fragments on some path") \
	/* sign-in, creation */                                                                    \
	ROW(REFUSED_PER_MIN, 300, "attempts",                                                      \
	    "that were refused, of one user and one address in a minute; a guesser needs more")    \
	ROW(PASSWORDS_AT_ONCE, 2, "passwords", "that are hashed at a time; each takes 19 MiB")     \
	ROW(PASSWORDS_WAITING, 16, "passwords",                                                    \
	    "that wait for it; who comes later is told to come again in a second")                 \
	ROW(SERVICE_TOKENS, 100, "tokens", "of one user; a program each")                          \
	/* plans and provisioning: the presets of the keys of these names */                       \
	ROW(CAP_FREE, 3, "devices", "of a tenant on the Free plan (cap_free)")                     \
	ROW(CAP_PRO, 20, "devices", "of a tenant on the Pro plan (cap_pro)")                       \
	ROW(CAP_TEAM, 100, "devices", "of a tenant on the Team plan (cap_team)")                   \
	ROW(PROVISION_LIMIT, 5, "changes",                                                         \
	    "of one user that make a key, in the period; nobody adds phones faster by hand")       \
	ROW(PROVISION_PERIOD, 60000, "ms", "that period (provision_period)")

/* Frames that cost us more than the peer: so many at once, refilled by so many a second. */
#define LIMIT_RATES(ROW)                                                                           \
	ROW(RESETS, 1000, 100,                                                                     \
	    "RST_STREAM of unanswered calls; ten full tables, each answer earns one more")         \
	ROW(STREAM_ERRORS, 50, 5, "errors that make us reset a stream (CVE-2025-8671)")            \
	ROW(PINGS, 200, 100, "PING; frames we send earn more, as gRPC probes bandwidth by them")           \
	ROW(SETTINGS, 50, 5, "SETTINGS; each is answered")                                         \
	ROW(PRIORITIES, 200, 50, "PRIORITY; browsers send a few per page")                         \
	ROW(WINDOW_UPDATES, 2000, 500, "WINDOW_UPDATE; answered DATA and requests earn more")      \
	ROW(EMPTY_DATA, 100, 10, "DATA without bytes and without an end")                          \
	ROW(UNKNOWN_FRAMES, 100, 10, "frames of unknown kinds")                                    \
	ROW(STALE_FRAMES, 2000, 500, "frames for streams that are over")                           \
	ROW(NODE_HELLOS, 30, 2, "streams that one node begins; a sound one has one for days")      \
	ROW(NODE_REPORTS, 500, 100, "reports of one node; one for each change, at most so many")   \
	ROW(NODE_CERTIFICATES, 30, 1, "certificates for one node; it needs one in 60 days")

#define LIMIT_ROW_(name, value, unit, why) LIMIT_##name = (value),
#define LIMIT_RATE_ROW_(name, at_once, per_s, why)                                                 \
	LIMIT_##name##_AT_ONCE = (at_once), LIMIT_##name##_PER_S = (per_s),
/* clang-format on */

enum limit { LIMITS(LIMIT_ROW_) LIMIT_RATES(LIMIT_RATE_ROW_) };

/* Both numbers of a rate, as two arguments or members. */
#define LIMIT_RATE(name) LIMIT_##name##_AT_ONCE, LIMIT_##name##_PER_S

#endif
