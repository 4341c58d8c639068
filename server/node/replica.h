/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this node knows: the tenant's list at one generation, keys to trust,
 * states of devices, the interface, the link to the Control Panel. Handlers
 * read under the read lock, the keeper writes; nothing here blocks.
 */
#ifndef QM_REPLICA_H
#define QM_REPLICA_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/node/lease.h"
#include "server/node/pill.h"
#include "server/node/standing.h"
#include "server/node/touched.h"
#include "server/node/trust.h"
#include "server/peers/view.h"

struct zone;

#define REPLICA_HEAD_MAX 512
#define REPLICA_REASON_LEN 300
#define REPLICA_DNS_LEN 200
#define REPLICA_HTTPS_LEN 200

/* A signed position in the log, as received. */
struct replica_head {
	uint64_t epoch, generation;
	uint8_t bytes[REPLICA_HEAD_MAX], signature[SIGN_LEN];
	size_t bytes_len, signature_len;
	char kid[33];
};

/* A peer that the interface refused. */
struct replica_failed {
	struct uuid id;
	int error; /* positive errno */
};

/* What the interface has: filled by the keeper after each change. */
struct replica_interface {
	bool active;
	uint16_t listen_port;
	uint32_t n_peers;
	const char *backend, *backend_why;
	char forwarding[REPLICA_REASON_LEN];
	char dns_status[REPLICA_DNS_LEN]; /* off, serving, coredns, "degraded: why" */
	uint64_t epoch, generation;       /* applied */
	bool lease_over;                  /* no device peers for that */
	char overlap[REPLICA_DNS_LEN];    /* a route of the host that takes addresses of ours */
	struct digest list_digest;        /* of the list as it was then */
	struct digest device_digest;
	struct replica_failed *failed;
	size_t n_failed;
};

/* HTTPS on the mesh addresses: filled by nodehttps.c. */
struct replica_https {
	char status[REPLICA_HTTPS_LEN]; /* off, starting, "serving until …", "degraded: why" */
	char url[100], pin[65];         /* "" while it is not served */
	char *ca;                       /* PEM; NULL while there is none */
};

struct replica {
	pthread_rwlock_t lock;
	struct uuid self, tenant_id;
	struct members *list;
	struct touched touched; /* not applied yet; the keeper's thread alone */
	struct replica_head head;
	struct trust trust;
	struct view_promoted *promoted;
	size_t n_promoted;
	struct pill_table pills;
	struct replica_interface interface;
	struct zone *zone; /* names, for who asks by gRPC; NULL: dns is off, or no list yet */
	struct replica_https https;

	struct lease lease; /* of device peers */
	bool cp_connected;
	int64_t cp_lost_at_ms;
	int cache_error;      /* positive errno: the list on disk is older than this one */
	int64_t clock_off_ms; /* our clock minus the Control Panel's, as of its last answer */
	struct uuid *nodes_down;
	size_t n_nodes_down;
	uint64_t converged_generation;
	struct standing standing;
	struct uuid *revoked; /* sorted session ids */
	size_t n_revoked;

	/* Events that were no good, since the start. */
	uint64_t n_gaps, n_differing, n_old, n_refused;

	/* A snapshot that is not whole yet. */
	struct members *next;
	uint32_t next_chunk;
	uint64_t next_epoch, next_generation;
};

int replica_init(struct replica *r, const struct uuid *self, const struct uuid *tenant_id)
	_must_check_;
void replica_done(struct replica *r);

enum replica_result {
	REPLICA_CHANGED, /* the list is at a new generation */
	REPLICA_IGNORED, /* nothing new */
	REPLICA_PARTIAL, /* a chunk; more to come */
	REPLICA_GAP,     /* something is missing: subscribe anew with generation 0 */
	REPLICA_DIFFERS, /* the same, for it does not lead to its own digest; the list stays */
	REPLICA_OLD,     /* refused: older than what is here */
};

/* Each takes the write lock itself. PeersUpdated: -EBADMSG, -ENOMEM, or a replica_result. */
int replica_take_peers(struct replica *r, const Pb__PeersUpdated *event) _must_check_;
int replica_take_keys(struct replica *r, const Pb__Keys *keys) _must_check_;
int replica_take_revocations(struct replica *r, const Pb__Revocations *event) _must_check_;
/* A session that ended here: known before the Control Panel says so. -ENOMEM, -ENOBUFS. */
int replica_revoke(struct replica *r, const struct uuid *session_id) _must_check_;
int replica_take_status(struct replica *r, const Pb__DeviceStatusUpdate *event) _must_check_;
/* A promotion of ours; again is fine. -ENOMEM. */
int replica_promote(struct replica *r, const struct uuid *device_id, uint32_t key_version)
	_must_check_;
/* The Control Panel answered from its store: the lease begins anew. */
void replica_renew_lease(struct replica *r, uint64_t asked_ms);
/* The lease ended, or began anew, and the interface does not show it yet. */
bool replica_lease_turned(struct replica *r);
/* What time it is at the Control Panel. */
void replica_take_time(struct replica *r, const Google__Protobuf__Timestamp *time);
void replica_set_link(struct replica *r, bool connected);

/* With the lock held. */
bool replica_is_revoked(const struct replica *r, const struct uuid *session_id);
bool replica_is_down(const struct replica *r, const struct uuid *node_id);
const struct replica_failed *replica_failure(const struct replica *r, const struct uuid *id);
bool replica_is_promoted(const struct replica *r, const struct member *device);

#endif
