/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of all protocols, right ones and wrong ones. Each appends to out. */
#ifndef QM_PAYLOAD_H
#define QM_PAYLOAD_H

#include "tests/attack/mutate/octets.h"
#include "tests/attack/mutate/seeds.h"

struct payload_wish {
	bool json;      /* else protobuf */
	bool enveloped; /* flags, length, bytes */
	bool many;      /* a stream of messages */
	bool gzip;
	bool text; /* base64 of it all */
	bool twist;
};

void payload_make(struct octets *out, struct dice *d, const struct seed *seed,
		  const struct payload_wish *wish);
void payload_base64(struct octets *out, struct dice *d, const struct octets *in, bool twist);

#endif
