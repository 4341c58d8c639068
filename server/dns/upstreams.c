/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers only: a name here would have to be resolved by us. */
#include "server/dns/upstreams.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

socklen_t upstreams_len(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET ? sizeof(struct sockaddr_in)
					     : sizeof(struct sockaddr_in6);
}

struct cidr upstreams_address(const struct sockaddr_storage *address)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;

	if (address->ss_family == AF_INET)
		return cidr_v4(ntohl(v4->sin_addr.s_addr), 32);
	if (address->ss_family == AF_INET6)
		return cidr_v6(v6->sin6_addr.s6_addr, 128);
	return (struct cidr){0};
}

static int add(struct upstreams *u, const char *host, uint16_t port, const struct cidr own[2])
{
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				       .ai_socktype = SOCK_DGRAM};
	struct sockaddr_storage address = {0};
	struct addrinfo *found = NULL;
	struct cidr plain;
	char service[8];

	snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(host, service, &hints, &found))
		return -EINVAL;
	memcpy(&address, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	plain = upstreams_address(&address);
	for (size_t i = 0; i < 2; i++)
		if (own[i].family == plain.family &&
		    memcmp(own[i].addr, plain.addr, plain.family == CIDR_V4 ? 4 : 16) == 0) {
			u->left_own = true;
			return 0;
		}
	if (u->n < UPSTREAMS_MAX)
		u->address[u->n++] = address;
	return 0;
}

int upstreams_parse(const char *list, const struct cidr own[2], struct upstreams *ret)
{
	struct upstreams u = {0};
	char host[256], word[256];

	while (*(list += strspn(list, ", \t"))) {
		size_t len = strcspn(list, ", \t");
		uint16_t port;
		int r;

		if (len >= sizeof(word))
			return -EINVAL;
		memcpy(word, list, len);
		word[len] = '\0';
		list += len;
		r = add(&u, word, UPSTREAMS_PORT, own);
		if (r && hostport_split(word, host, &port) == 0)
			r = add(&u, host, port, own);
		if (r)
			return r;
	}
	*ret = u;
	return 0;
}

void upstreams_read(const char *resolv_conf, const struct cidr own[2], struct upstreams *ret)
{
	struct upstreams u = {0};
	char host[256];

	for (const char *line = resolv_conf; *line; line += *line == '\n') {
		size_t len = strcspn(line, "\n");

		if (len < 512 && sscanf(line, "nameserver %255s", host) == 1 &&
		    add(&u, host, UPSTREAMS_PORT, own))
			host[0] = '\0';
		line += len;
	}
	*ret = u;
}
