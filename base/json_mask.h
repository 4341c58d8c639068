/* SPDX-License-Identifier: Apache-2.0 */
/* The text form of google.protobuf.FieldMask: "userName,owner.id" for user_name and owner.id. Pure.
 */
#ifndef QM_JSON_MASK_H
#define QM_JSON_MASK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/text.h"

/* The paths in lowerCamelCase with commas between; false when one would not come back the same. */
bool json_mask_text(char *const *paths, size_t n, struct text *out);
/* The paths as proto names, in the arena; none of "". 0, ERR_FIELD_INVALID, -ENOMEM. */
int json_mask_parse(const char *s, struct arena *arena, char ***ret_paths, size_t *ret_n)
	_must_check_;

#endif
