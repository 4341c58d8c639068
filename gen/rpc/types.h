/* SPDX-License-Identifier: Apache-2.0 */
/* What an Any of ours may hold. Made from proto/ by scripts/gen; never edited. */
#ifndef QM_GEN_TYPES_H
#define QM_GEN_TYPES_H

#include "base/json.h"

/* The details of errors by their names. */
extern const struct json_types types_known;

#endif
