/* SPDX-License-Identifier: Apache-2.0 */
/* Where a client connects to, parsed once from the text a person wrote. */
#ifndef QM_TARGET_H
#define QM_TARGET_H

#include <stdint.h>

#include "base/cleanup.h"

enum target_kind { TARGET_TLS, TARGET_PLAIN, TARGET_UNIX };

struct target {
	enum target_kind kind;
	uint16_t port;
	char host[256];      /* no brackets; the path for TARGET_UNIX */
	char authority[300]; /* what goes into :authority */
	char text[300];      /* as written, for messages */
};

/*
 * "https://host[:port]", "http://loopback[:port]", "unix:/path". Clear text
 * goes to loopback only: anything else is -EINVAL, as are paths, users,
 * queries and ports out of range.
 */
int target_parse(const char *s, struct target *ret_target) _must_check_;

#endif
