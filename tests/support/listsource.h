/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Control Panel in small, for one node: a list, and signed events of it as
 * the stream carries them. Ends the program when something breaks.
 */
#ifndef QM_LISTSOURCE_H
#define QM_LISTSOURCE_H

#include "server/node/replica.h"

struct listsource {
	struct uuid tenant;
	struct members *all, *news; /* news: what the next event tells */
	struct uuid gone[64];
	size_t n_gone;
	uint64_t epoch, generation;
	uint8_t sign_public[SIGN_PUBLIC_LEN], sign_secret[SIGN_SECRET_LEN];
};

/* With a tenant record of this IPv4 range. */
void listsource_init(struct listsource *s, const struct uuid *tenant, struct cidr range4);
void listsource_done(struct listsource *s);
/* The replica takes what this one signs, and has share 1 of the preshared keys. */
void listsource_trust(const struct listsource *s, struct replica *r);
void listsource_put(struct listsource *s, const struct member *m);
void listsource_remove(struct listsource *s, const struct uuid *id);
/* A SubscribeResponse on the heap with all news since the last one, or with the whole list. */
uint8_t *listsource_event(struct listsource *s, bool snapshot, size_t *ret_len);
/* The way of such bytes into a replica. A replica_result. */
int listsource_give(const uint8_t *bytes, size_t len, struct replica *r);

#endif
