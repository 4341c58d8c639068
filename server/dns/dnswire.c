/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes in, bytes out. Answers keep the question as it was asked, letter by letter. */
#include "server/dns/dnswire.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum { FLAGS = 2, QDCOUNT = 4, ANCOUNT = 6, ARCOUNT = 10 };
enum { TYPE_OPT = 41 };
#define QR 0x80
#define TC 0x02
#define RA 0x80
/* Opcode and RD. */
#define KEPT_2 0x79
#define DO 0x80
/* CD. */
#define KEPT_3 0x10

uint16_t dnswire_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

void dnswire_set_u16(uint8_t *p, uint16_t n)
{
	p[0] = (uint8_t)(n >> 8);
	p[1] = (uint8_t)n;
}

int dnswire_read(const uint8_t *packet, size_t len, struct dnswire_question *ret)
{
	size_t at = DNSWIRE_HEAD_LEN;

	if (len < DNSWIRE_HEAD_LEN || dnswire_u16(packet + QDCOUNT) != 1)
		return -EBADMSG;
	ret->n_labels = 0;
	while (at < len && packet[at]) {
		/* A pointer has nothing to point at yet. */
		if (packet[at] > 63 || ret->n_labels == DNSWIRE_LABELS_MAX)
			return -EBADMSG;
		ret->label[ret->n_labels++] = packet + at;
		at += 1u + packet[at];
		if (at - DNSWIRE_HEAD_LEN >= DNSWIRE_NAME_MAX)
			return -EBADMSG;
	}
	if (at + 5 > len)
		return -EBADMSG;
	ret->type = dnswire_u16(packet + at + 1);
	ret->class = dnswire_u16(packet + at + 3);
	ret->end = at + 5;
	return 0;
}

bool dnswire_is(const struct dnswire_question *q, size_t i, const char *word)
{
	size_t len = strlen(word);

	return i < q->n_labels && q->label[i][0] == len &&
	       strncasecmp((const char *)q->label[i] + 1, word, len) == 0;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

bool dnswire_same(const uint8_t *a, const uint8_t *b, size_t end)
{
	size_t name_end = end - 4;

	/* Length bytes are below 'A'. */
	for (size_t i = DNSWIRE_HEAD_LEN; i < name_end; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return memcmp(a + name_end, b + name_end, 4) == 0;
}

size_t dnswire_fail(const uint8_t *query, size_t len, unsigned rcode, uint8_t *ret)
{
	struct dnswire_question q;
	size_t end = DNSWIRE_HEAD_LEN;

	if (dnswire_read(query, len, &q) == 0)
		end = q.end;
	memmove(ret, query, end);
	ret[FLAGS] = QR | (query[FLAGS] & KEPT_2);
	ret[FLAGS + 1] = (uint8_t)(RA | (query[FLAGS + 1] & KEPT_3) | rcode);
	dnswire_set_u16(ret + QDCOUNT, end > DNSWIRE_HEAD_LEN);
	memset(ret + ANCOUNT, 0, 6);
	return end;
}

size_t dnswire_cut(uint8_t *answer, size_t len)
{
	struct dnswire_question q;
	size_t end = DNSWIRE_HEAD_LEN;

	if (dnswire_read(answer, len, &q) == 0)
		end = q.end;
	answer[FLAGS] |= TC;
	dnswire_set_u16(answer + QDCOUNT, end > DNSWIRE_HEAD_LEN);
	memset(answer + ANCOUNT, 0, 6);
	return end;
}

size_t dnswire_add_opt(uint8_t *answer, size_t len, bool dnssec_ok)
{
	uint8_t *opt = answer + len;

	/* Root, type, what we take, no extended rcode, version 0, flags, no options. */
	memset(opt, 0, DNSWIRE_OPT_LEN);
	dnswire_set_u16(opt + 1, TYPE_OPT);
	dnswire_set_u16(opt + 3, LIMIT_DNS_UDP);
	opt[7] = dnssec_ok ? DO : 0;
	dnswire_set_u16(answer + ARCOUNT, 1);
	return len + DNSWIRE_OPT_LEN;
}
