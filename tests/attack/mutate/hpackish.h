/* SPDX-License-Identifier: Apache-2.0 */
/* Header blocks (RFC 7541) in every legal form and in illegal ones. */
#ifndef QM_HPACKISH_H
#define QM_HPACKISH_H

#include "tests/attack/mutate/asking.h"

/* With twist the coding itself is wrong, not only what it says. */
void hpackish_request(struct octets *out, struct dice *d, const struct asking *a, bool twist);
void hpackish_trailers(struct octets *out, struct dice *d);

#endif
