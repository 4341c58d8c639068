/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a DNS packet is read and changed in place: head and question. The
 * rest is for ldns, or is passed on as it came.
 */
#ifndef QM_DNSWIRE_H
#define QM_DNSWIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/limits.h"

#define DNSWIRE_HEAD_LEN 12
#define DNSWIRE_NAME_MAX 255
#define DNSWIRE_LABELS_MAX 128
/* What of a query is read: far more than any client sends. */
#define DNSWIRE_QUERY_MAX 4096
/* What every client takes by UDP; at most LIMIT_DNS_UDP is sent. */
#define DNSWIRE_UDP_LEAST 512
#define DNSWIRE_OPT_LEN 11

enum { DNSWIRE_FORMERR = 1, DNSWIRE_SERVFAIL = 2, DNSWIRE_NOTIMP = 4, DNSWIRE_REFUSED = 5 };

struct dnswire_question {
	const uint8_t *label[DNSWIRE_LABELS_MAX]; /* length byte first */
	size_t n_labels;
	uint16_t type, class;
	size_t end; /* of the question in the packet */
};

uint16_t dnswire_u16(const uint8_t *p);
void dnswire_set_u16(uint8_t *p, uint16_t n);
/* The one question of a packet; -EBADMSG: none, more, or a name that is none. */
int dnswire_read(const uint8_t *packet, size_t len, struct dnswire_question *ret) _must_check_;
/* Label i is this word, whatever the case. */
bool dnswire_is(const struct dnswire_question *q, size_t i, const char *word);
/* Both packets ask the same; end of the question of both. */
bool dnswire_same(const uint8_t *a, const uint8_t *b, size_t end);
/* Makes of a query the answer that it failed: head and, when it has one, question. Its length. */
size_t dnswire_fail(const uint8_t *query, size_t len, unsigned rcode, uint8_t *ret);
/* Leaves head and question, "ask by TCP". The new length. */
size_t dnswire_cut(uint8_t *answer, size_t len);
/* Puts an OPT behind what one of those two left: who asked with one expects one. The new length. */
size_t dnswire_add_opt(uint8_t *answer, size_t len, bool dnssec_ok);

#endif
