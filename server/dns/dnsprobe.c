/* SPDX-License-Identifier: Apache-2.0 */
/* A connected socket: only the server itself can answer, and a closed port says so. */
#include "server/dns/dnsprobe.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/dns/dnswire.h"

#define APEX "\7quazzar\4mesh\0"
#define ADDRESS_LEN 4

void dnsprobe_init(struct dnsprobe *p)
{
	*p = (struct dnsprobe){.fd = -1};
}

void dnsprobe_done(struct dnsprobe *p)
{
	close_fdp(&p->fd);
}

static int make_query(struct dnsprobe *p, const char *label)
{
	static const uint8_t head[DNSWIRE_HEAD_LEN] = {[2] = 1, [5] = 1}; /* RD, one question */
	static const uint8_t tail[] = APEX "\0\1\0";                      /* A, IN: ends in \1 */
	size_t len = strlen(label);

	if (len == 0 || len > 63)
		return -EINVAL;
	memcpy(p->query, head, sizeof(head));
	if (getrandom(p->query, 2, 0) != 2)
		return -EIO;
	p->query[DNSWIRE_HEAD_LEN] = (uint8_t)len;
	memcpy(p->query + DNSWIRE_HEAD_LEN + 1, label, len);
	len += DNSWIRE_HEAD_LEN + 1;
	memcpy(p->query + len, tail, sizeof(tail));
	p->len = len + sizeof(tail);
	p->query[p->len - 1] = 1;
	return 0;
}

int dnsprobe_ask(struct dnsprobe *p, const struct cidr *server, uint16_t port, const char *label,
		 const struct cidr *wanted)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)}, from;

	dnsprobe_done(p);
	p->wanted = *wanted;
	if (make_query(p, label))
		return -EINVAL;
	to.sin_addr.s_addr = htonl(cidr_host4(server));
	from = to;
	from.sin_port = 0;
	p->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0 || bind(p->fd, (struct sockaddr *)&from, sizeof(from)) ||
	    connect(p->fd, (struct sockaddr *)&to, sizeof(to)) ||
	    send(p->fd, p->query, p->len, 0) < 0) {
		int r = -errno;

		dnsprobe_done(p);
		return r;
	}
	return 0;
}

bool dnsprobe_heard(struct dnsprobe *p)
{
	uint8_t answer[LIMIT_DNS_UDP];
	bool heard = false;
	ssize_t len;

	while (p->fd >= 0 && (len = recv(p->fd, answer, sizeof(answer), 0)) >= 0)
		heard |= (size_t)len > p->len && memcmp(answer, p->query, 2) == 0 &&
			 answer[2] & 0x80 && (answer[3] & 15) == 0 &&
			 dnswire_u16(answer + 4) == 1 && dnswire_same(answer, p->query, p->len) &&
			 memmem(answer + p->len, (size_t)len - p->len, p->wanted.addr, ADDRESS_LEN);
	return heard;
}
