/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTPS on this node's mesh addresses: has a certificate when the Control Panel gives one,
 * listens as long as there is one, tells how it stands. Belongs to the keeper's thread but for
 * attach. A node without a Control Panel goes on with what it has.
 */
#ifndef QM_NODEHTTPS_H
#define QM_NODEHTTPS_H

#include <pthread.h>
#include <stdbool.h>

#include "server/node/node_conf.h"
#include "server/node/nodecert.h"
#include "server/node/replica.h"

/*
 * Other CAs are told to every node at once, and each of them asks for a certificate: somewhere
 * within this time, at a place that node and CAs give, 5 s and 10 ms for each node of the tenant.
 */
#define NODEHTTPS_SPREAD_MS 5000
#define NODEHTTPS_SPREAD_NODE_MS 10
#define NODEHTTPS_SPREAD_MAX_MS 60000

struct server;

/* A request for a certificate is to be sent; nodehttps_answer tells what came of it. */
typedef int (*nodehttps_ask_fn)(void *arg, const uint8_t *csr, size_t len);

struct nodehttps {
	const struct node_conf *conf;
	struct replica *replica;
	nodehttps_ask_fn ask;
	void *arg;
	pthread_mutex_t lock; /* guards the server: nobody takes it away while it is used */
	struct server *_Atomic server; /* NULL: not serving yet, or no more */
	struct nodecert cert;
	bool has_cert, asking;
	uint64_t ask_at_ms, pause_ms; /* not before; boot time */
	uint64_t spread_at_ms;        /* its moment after a change of CAs; 0: none waits */
	char refusal[100];            /* "": none */
	char mark[NODECERT_MARK_MAX + 1];
	bool is_marked;             /* since the last request */
	char names[CERT_NAMES_MAX]; /* as they must be in the certificate */
	struct cidr own[2];
	bool listens[2];
	int refused; /* why it could not listen, -errno */
};

void nodehttps_init(struct nodehttps *h, const struct node_conf *conf, struct replica *replica,
		    nodehttps_ask_fn ask, void *arg);
void nodehttps_done(struct nodehttps *h);
/* Any thread. The server to listen by; NULL before it stops. */
void nodehttps_attach(struct nodehttps *h, struct server *server);
/*
 * The interface is as the list has it, or some time has gone by: does what is due. True: what
 * people see has changed.
 */
bool nodehttps_look(struct nodehttps *h);
/* When nodehttps_look is to be called for a change of CAs, boot time; UINT64_MAX: it is not. */
uint64_t nodehttps_look_at_ms(const struct nodehttps *h);
/* From the event Certificate. A node without any certificate asks at once. */
void nodehttps_mark(struct nodehttps *h, const char *mark);
/* Bytes of an IssueCertificateResponse; or, with failed, words that say why there is none. */
void nodehttps_answer(struct nodehttps *h, bool failed, const void *p, size_t len);

#endif
