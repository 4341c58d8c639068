/* SPDX-License-Identifier: Apache-2.0 */
#include "server/rpc/hosts.h"

#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

bool hosts_name(const char *hosts, uint16_t port, const char *authority)
{
	char suffix[8];

	snprintf(suffix, sizeof(suffix), ":%u", port);
	for (const char *p = hosts + strspn(hosts, " "); *p; p += strspn(p, " ")) {
		size_t len = strcspn(p, " ");
		const char *rest = authority + len;

		if (strncasecmp(authority, p, len) == 0 && (!*rest || strcmp(rest, suffix) == 0))
			return true;
		p += len;
	}
	return false;
}

bool hosts_loopback(const char *authority)
{
	static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t len = strlen(names[i]);

		if (strncasecmp(authority, names[i], len) != 0)
			continue;
		const char *rest = authority + len;

		if (*rest == '\0')
			return true;
		if (*rest++ != ':')
			continue;
		while (isdigit((unsigned char)*rest))
			rest++;
		if (*rest == '\0')
			return true;
	}
	return false;
}

bool hosts_from(const struct cidr *from, size_t n, const struct sockaddr *peer)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)peer;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)peer;
	bool limited = false;
	struct cidr address = {0};

	if (peer->sa_family == AF_INET)
		address = cidr_v4(ntohl(in->sin_addr.s_addr), 32);
	else if (peer->sa_family == AF_INET6)
		address = cidr_v6(in6->sin6_addr.s6_addr, 128);
	for (size_t i = 0; i < n; i++) {
		if (!from[i].family)
			continue;
		limited = true;
		if (address.family && cidr_contains(&from[i], &address))
			return true;
	}
	return !limited;
}
