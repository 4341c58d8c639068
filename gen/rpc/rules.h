/* SPDX-License-Identifier: Apache-2.0 */
/* Field bounds of every message. Made from proto/ by scripts/gen; never edited. */
#ifndef QM_GEN_RULES_H
#define QM_GEN_RULES_H

#include "base/method.h"

/*
 * The bounds of a message; NULL for the types of others (google.*), which have
 * none. Needs no lock.
 */
const struct message_rules *rules_find(const ProtobufCMessageDescriptor *desc);

#endif
