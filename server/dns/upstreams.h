/* SPDX-License-Identifier: Apache-2.0 */
/* Name servers that are asked for foreign names: configured, or those of resolv.conf. */
#ifndef QM_UPSTREAMS_H
#define QM_UPSTREAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/cidr.h"

#define UPSTREAMS_MAX 3
#define UPSTREAMS_PORT 53

struct upstreams {
	struct sockaddr_storage address[UPSTREAMS_MAX];
	size_t n;
	bool left_own; /* one was ourselves and is not in it */
};

/* "9.9.9.9, [2620:fe::fe]:5353". Never one of own. -EINVAL: something else is in it. */
int upstreams_parse(const char *list, const struct cidr own[2], struct upstreams *ret) _must_check_;
/* The nameserver lines of such a file's text; what does not read is left out. */
void upstreams_read(const char *resolv_conf, const struct cidr own[2], struct upstreams *ret);
socklen_t upstreams_len(const struct sockaddr_storage *address);
/* The address alone; family 0 for anything else. IPv4 in IPv6 comes out as IPv4. */
struct cidr upstreams_address(const struct sockaddr_storage *address);

#endif
