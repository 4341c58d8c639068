/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The link to the Control Panel: one thread that keeps a CC-agent token, the
 * stream, and sends reports. Comes back after a loss, with growing pauses.
 */
#ifndef QM_LINK_H
#define QM_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define LINK_TOKEN_MAX 1024
#define LINK_REPORT_APPLIED_MS 0
#define LINK_REPORT_STATUS_MS 200
#define LINK_HEARTBEAT_MS 15000

struct link;
struct node;
struct qm_client;

int link_new(struct node *n, struct link **ret_link) _must_check_;
int link_start(struct link *l) _must_check_;
void link_stop(struct link *l);
/*
 * One piece of what is due, on the caller's thread; link_start's does this over and over.
 * When the next is due, in clock_boot_ms; 0: perhaps now.
 */
uint64_t link_turn(struct link *l);
void link_free(struct link *l);

/* From any thread: a report within ms. */
void link_report(struct link *l, uint64_t ms);
/* Subscribes anew, asking for everything; what does not help is tried after growing pauses. */
void link_resync(struct link *l);
/* The same at once: somebody wants to see it. */
void link_refresh(struct link *l);
/* The CP goes away: no new stream for so long, and at random up to the spread longer. */
void link_drain(struct link *l, uint64_t ms, uint64_t spread_ms);
/* New pins, from the event Keys. */
void link_set_pins(struct link *l);
/* The CC-agent token now; false: there is none that is good. */
bool link_token(struct link *l, char ret[LINK_TOKEN_MAX + 1]);
/* The Control Panel did not take the token that was read then: another one is fetched. */
void link_refused(struct link *l, uint64_t used_at_ms);
/* Is there one that is good? The stream may be away. */
bool link_can_call(struct link *l);
struct qm_client *link_client(struct link *l);
bool link_is_up(struct link *l);
/* A request for a certificate (PKCS #10, LINK_CSR_MAX at most), sent when that is possible. */
#define LINK_CSR_MAX 1024
int link_certify(struct link *l, const uint8_t *csr, size_t len) _must_check_;
/* A token that Enroll gave. */
void link_give_token(struct link *l, const char *token, int64_t expires_at_ms);

#endif
