/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS of the client: 1.2 or newer, ALPN h2, trust by CA file, by the system's
 * CAs or by pins. A context is shared by all connections of a client; a
 * session belongs to one connection and its I/O thread.
 */
#ifndef QM_TLS_H
#define QM_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "client/pin.h"

struct tls;
struct tls_session;

/* ca_file NULL: the system's. -ENOENT (no such file), -EINVAL (no certificate in it), -ENOMEM. */
int tls_new(const char *ca_file, struct tls **ret_tls) _must_check_;
void tls_free(struct tls *tls);
CLEANUP_DEFINE(struct tls, tls_free);

/* name: what the certificate must be for. pins are copied. The fd stays the caller's. */
int tls_session_new(struct tls *tls, int fd, const char *name, const struct pin_set *pins,
		    struct tls_session **ret_session) _must_check_;
void tls_session_free(struct tls_session *s);
/* 1: done; 0: call again when the socket is ready (tls_wants_write); -EPROTO: see tls_why. */
int tls_handshake(struct tls_session *s) _must_check_;
bool tls_wants_write(const struct tls_session *s);
/* As read(2) and write(2) on a non-blocking socket. */
ssize_t tls_read(struct tls_session *s, void *p, size_t len);
ssize_t tls_write(struct tls_session *s, const void *p, size_t len);
/* Says goodbye, as far as it goes without waiting. */
void tls_bye(struct tls_session *s);
/* Plain words on the last failure; valid until the next call. */
const char *tls_why(const struct tls_session *s);

#endif
