/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip over whole messages, bounded by the builder that takes the result: a
 * bomb costs no more memory than the largest message would. What zlib keeps
 * between is wiped, for it may have been a secret. No state, any thread.
 */
#ifndef QM_GZIP_H
#define QM_GZIP_H

#include <stddef.h>

#include "base/text.h"

/*
 * Both append to out. Inflating: -EBADMSG for what is no gzip or ends too
 * early, -EMSGSIZE when it would be more than out->max. -ENOMEM.
 */
int gzip_inflate(const void *p, size_t len, struct text *out) _must_check_;
int gzip_deflate(const void *p, size_t len, struct text *out) _must_check_;

#endif
