/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CC-agent streams of all nodes and what goes out on them. One thread owns
 * every stream and says what was committed: once per tenant, encoded once,
 * shared by all its streams. The functions here only leave it a message.
 */
#ifndef QM_HUB_H
#define QM_HUB_H

#include "quazzar/mesh/v1/agent.pb-c.h"
#include "server/cp/cp.h"

int hub_new(struct cp *cp, struct hub **ret_hub) _must_check_;
void hub_free(struct hub *hub);

/* Something was committed for these tenants. */
void hub_touch(struct hub *hub, const struct uuid *tenants, size_t n);
/* Anything may have been committed. */
void hub_touch_all(struct hub *hub);
/* The Subscribe call of a node: keys, revocations and a snapshot, then events. */
int hub_subscribe(struct call *call, const Pb__SubscribeRequest *in);
/* A renewed token keeps the node's stream open until then. */
void hub_extend(struct hub *hub, const struct uuid *tenant, const struct uuid *node,
		int64_t expires_ms);
/* Ends the stream of a removed node. */
void hub_cut(struct hub *hub, const struct uuid *tenant, const struct uuid *node);
void hub_revoke(struct hub *hub, const struct uuid *tenant, const uint8_t (*ids)[16], size_t n);
/* Asks one node to fetch everything anew. */
void hub_refresh(struct hub *hub, const struct uuid *tenant, const struct uuid *node);
/* Somebody looks at this node's page (nil: at the CP): others report at once. */
void hub_interest(struct hub *hub, const struct uuid *tenant, const struct uuid *node);
/* Statuses that a node reported, for the nodes that are interested; takes the frame. */
void hub_relay(struct hub *hub, const struct uuid *tenant, const struct uuid *from,
	       struct frame *frame);
/* All live nodes have a newer generation, or the set of live nodes changed. */
void hub_converged(struct hub *hub, const struct uuid *tenant);
/* Counters and gauges of peer distribution, "name value\n" each. Any thread. */
void hub_metrics(struct hub *hub, struct text *out);
/* Within how many ms nodes that lose their streams together should come back, at random. */
uint32_t hub_spread(struct hub *hub);
/*
 * Keys to every stream of every tenant; when it returns they are in line, before
 * anything that is published after. -ENOMEM, -ESHUTDOWN.
 */
int hub_tell_keys(struct hub *hub) _must_check_;
/* Every stream ends, as if its token were not good any more. */
void hub_cut_all(struct hub *hub);
/* Tells all nodes to come back elsewhere or later. */
void hub_drain(struct hub *hub, uint32_t reconnect_after_ms);

#endif
