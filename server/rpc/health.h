/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is this daemon fit to be asked, and if not, why? One answer, told by
 * grpc.health.v1 (Check, Watch) and by the gateway's /healthz and /readyz.
 * The daemon owns it and ends it after its server; any thread may ask.
 */
#ifndef QM_HEALTH_H
#define QM_HEALTH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "server/rpc/service.h"

#define HEALTH_MAX_REASONS 8

struct health;
struct text;

struct health_reason {
	const char *name; /* for machines: "CP_UNREACHABLE" */
	bool blocks;      /* not to be asked because of it; else it is only worth knowing */
	char words[200];  /* for people: a sentence */
};

struct health_report {
	bool ready;
	struct health_reason reasons[HEALTH_MAX_REASONS];
	size_t n;
};

/* For a probe: one more reason. name is static; what does not fit is left out. */
void health_say(struct health_report *r, const char *name, bool blocks, const char *fmt, ...)
	_printf_(4, 5);

/* probe tells what is wrong just now; any thread, must not block. NULL: nothing ever is. -ENOMEM.
 */
int health_new(void (*probe)(void *owner, struct health_report *r), void *owner,
	       struct health **ret_health) _must_check_;
/* After the server. */
void health_free(struct health *h);
CLEANUP_DEFINE(struct health, health_free);
/* The service grpc.health.v1.Health: known to it are the services of s, now and later. */
int health_add(struct services *s, struct health *h) _must_check_;
/* Before the server drains: not ready from now on, and all who watch hear of it at once. */
void health_drain(struct health *h);
/* How it is; the same as ret_report->ready. */
bool health_ask(struct health *h, struct health_report *ret_report);
/* {"status":"ready"|"not ready","reasons":[{"reason","blocks","message"}]} appended. */
void health_json(const struct health_report *r, struct text *out);

#endif
