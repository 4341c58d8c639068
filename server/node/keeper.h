/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one thread that changes things: takes events of the stream into the
 * replica, applies it to WireGuard, polls handshakes, promotes rotated keys,
 * writes the cache. Everybody else posts notes to it.
 */
#ifndef QM_KEEPER_H
#define QM_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct keeper;
struct node;
struct server;
struct view;
struct wg_list;

#define KEEPER_POLL_FAST_MS 1000
#define KEEPER_POLL_SLOW_MS 15000
#define KEEPER_INTEREST_MS 60000

int keeper_new(struct node *n, struct keeper **ret_keeper) _must_check_;
int keeper_start(struct keeper *k) _must_check_;
/*
 * What keeper_start's thread does, on the caller's: begin, then turn after turn. A turn waits for
 * notes until something is due, wait_ms at most; returns when the next is due, in clock_boot_ms.
 */
void keeper_begin(struct keeper *k);
uint64_t keeper_turn(struct keeper *k, uint64_t wait_ms);
/* Writes the cache; the interface stays. */
void keeper_stop(struct keeper *k);
void keeper_free(struct keeper *k);

/* From any thread. Bytes of a SubscribeResponse of stream number so and so. */
void keeper_event(struct keeper *k, unsigned stream, const void *p, size_t len);
/* The stream is up (its number counts up) or lost. */
void keeper_link(struct keeper *k, unsigned stream, bool up);
/* The server by which HTTPS on the mesh is served; NULL before it stops. */
void keeper_serve(struct keeper *k, struct server *server);
/* What came of a request for a certificate: see nodehttps_answer. */
void keeper_certificate(struct keeper *k, bool failed, const void *p, size_t len);
/* The lease was renewed: devices are served again, if they were not. */
void keeper_lease(struct keeper *k);
/* Somebody looks at states here: poll fast for a while. True: nobody did before. */
bool keeper_interest(struct keeper *k);
/*
 * Somebody looks here. Not so where the Control Panel asked on behalf of others: a node
 * that passed that on as its own interest would keep all others asking for ever.
 */
bool keeper_has_interest(struct keeper *k);
/*
 * fn runs on the keeper's thread, once, after a snapshot that was asked for from now on was
 * applied, or with an error (enum err). One is fetched at a time, for all who asked before it
 * began, and one a second at most.
 */
int keeper_on_snapshot(struct keeper *k, void (*fn)(void *arg, int result), void *arg) _must_check_;
/* That is under way: the link may be down for a moment because of it. */
bool keeper_is_fetching(struct keeper *k);
/* Nobody waits any more: fn runs soon, with ERR_CANCELLED, unless it ran already. */
void keeper_forget(struct keeper *k, void (*fn)(void *arg, int result), void *arg);
/* The same with the interface just read: keeper_dump works inside fn only. */
int keeper_on_dump(struct keeper *k, void (*fn)(void *arg, int result), void *arg) _must_check_;
void keeper_dump(struct keeper *k, const struct view **ret_view,
		 const struct wg_list **ret_running);
/* The same after the next full DeviceStatus. */
int keeper_on_status(struct keeper *k, void (*fn)(void *arg, int result), void *arg) _must_check_;

#endif
