/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pins of the Control Panel: SHA-256 over the public keys (SPKI) that its TLS
 * listener shows, or is about to show. Nodes and join tokens trust by them.
 */
#ifndef QM_PINS_H
#define QM_PINS_H

#include <stdint.h>

#include "server/cp/cp.h"

#define PINS_MAX 4

/* That one first, then those to come; how many there are, 0 if none can be read. */
size_t pins_get(struct cp *cp, uint8_t ret_pins[PINS_MAX][32]);

#endif
