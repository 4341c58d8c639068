/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Foreign names: the client's query goes on to an upstream as it is, from a
 * socket of its own with a number of its own, and the answer comes back as it
 * is. Nothing is kept. All of it belongs to the DNS thread.
 */
#ifndef QM_DNSFORWARD_H
#define QM_DNSFORWARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "server/dns/upstreams.h"

#define DNSFORWARD_REASON_LEN 120

/* What an epoll event points at. */
struct dnsevent {
	void (*fn)(struct dnsevent *event, uint32_t events);
	int fd;
};

/* Who asked, for the way back. */
struct dnsclient {
	struct sockaddr_storage address;
	void *connection; /* NULL: by UDP */
	int fd;
	size_t limit; /* what it takes in one answer */
	bool is_self; /* this host */
	bool has_edns, wants_dnssec;
};

struct dnscount;
struct dnsforward;

/*
 * Answers go to send, on the thread that runs events; answer may be changed by it. count is
 * borrowed; NULL: nobody counts.
 */
struct dnsforward *dnsforward_new(int epoll_fd,
				  void (*send)(void *arg, const struct dnsclient *to,
					       uint8_t *answer, size_t len),
				  void *arg, struct dnscount *count);
void dnsforward_free(struct dnsforward *f); /* answers nobody */
CLEANUP_DEFINE(struct dnsforward, dnsforward_free);

void dnsforward_use(struct dnsforward *f, const struct upstreams *upstreams);
/* A query that dnsanswer_make left to us; answered sooner or later, at once if it is one too many.
 */
void dnsforward_ask(struct dnsforward *f, const struct dnsclient *from, const uint8_t *query,
		    size_t len);
/* Its connection is closed. */
void dnsforward_forget(struct dnsforward *f, const void *connection);
/* Timeouts and retries; when to be called again at the latest, UINT64_MAX: no need. */
uint64_t dnsforward_tick(struct dnsforward *f, uint64_t now_ms);
/* What is wrong with the upstreams, or "". */
const char *dnsforward_why(const struct dnsforward *f, uint64_t now_ms);

#endif
