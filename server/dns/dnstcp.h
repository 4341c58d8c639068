/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients that ask by TCP: their connections, some questions of each at a time,
 * answered in the order that answers come. All of it belongs to the DNS thread.
 */
#ifndef QM_DNSTCP_H
#define QM_DNSTCP_H

#include "server/dns/dnsforward.h"

struct dnstcp;

struct dnstcp_hooks {
	/* A whole query; dnstcp_send answers it, once, now or later. */
	void (*ask)(void *arg, const struct dnsclient *from, const uint8_t *query, size_t len);
	/* Nobody waits on this connection any more. */
	void (*gone)(void *arg, const void *connection);
	void *arg;
	struct dnscount *count; /* borrowed; NULL: nobody counts */
};

struct dnstcp *dnstcp_new(int epoll_fd, const struct dnstcp_hooks *hooks);
void dnstcp_free(struct dnstcp *t);
CLEANUP_DEFINE(struct dnstcp, dnstcp_free);

/* Takes the socket, or closes it when there are too many. */
void dnstcp_add(struct dnstcp *t, int fd, const struct sockaddr_storage *address);
void dnstcp_send(void *connection, const uint8_t *answer, size_t len);
/* Instead: what it sent is not to be answered, and it is closed. */
void dnstcp_refuse(void *connection);
/* Ends those that are idle; when to be called again at the latest, UINT64_MAX: no need. */
uint64_t dnstcp_tick(struct dnstcp *t, uint64_t now_ms);

#endif
