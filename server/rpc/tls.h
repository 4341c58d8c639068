/* SPDX-License-Identifier: Apache-2.0 */
/* The server's side of TLS: one context per listener, made once, read by every loop. */
#ifndef QM_TLS_H
#define QM_TLS_H

#include <stdbool.h>

#include "base/cleanup.h"

struct tls;

/* -EINVAL for files that are no certificate and its key, told in the log; -ENOMEM. */
int tls_new(const char *cert_file, const char *key_file, bool http2, struct tls **ret) _must_check_;
struct tls *tls_ref(struct tls *t);
void tls_free(struct tls *t); /* one reference; the last one ends it */
void *tls_ctx(struct tls *t); /* SSL_CTX */

#endif
