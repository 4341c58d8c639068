/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS of the client: 1.2 or newer, ALPN h2, trust by CA file, by the system's
 * CAs or by pins. A context is shared by all connections of a client and
 * remembers the server's last ticket, so that the next handshake is short; a
 * session belongs to one connection. Both are the I/O thread's.
 */
#ifndef QM_QTLS_H
#define QM_QTLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "client/pin.h"

struct qtls;
struct qtls_session;

/* ca_file NULL: the system's. -ENOENT (no such file), -EINVAL (no certificate in it), -ENOMEM. */
int qtls_new(const char *ca_file, struct qtls **ret_tls) _must_check_;
void qtls_free(struct qtls *tls);
CLEANUP_DEFINE(struct qtls, qtls_free);

/* name: what the certificate must be for. pins are copied. The fd stays the caller's. */
int qtls_session_new(struct qtls *tls, int fd, const char *name, const struct pin_set *pins,
		     struct qtls_session **ret_session) _must_check_;
void qtls_session_free(struct qtls_session *s);
/* 1: done; 0: call again when the socket is ready (qtls_wants_write); -EPROTO: see qtls_why. */
int qtls_handshake(struct qtls_session *s) _must_check_;
bool qtls_wants_write(const struct qtls_session *s);
/* As read(2) and write(2) on a non-blocking socket. */
ssize_t qtls_read(struct qtls_session *s, void *p, size_t len);
ssize_t qtls_write(struct qtls_session *s, const void *p, size_t len);
/* Says goodbye, as far as it goes without waiting. */
void qtls_bye(struct qtls_session *s);
/* Plain words on the last failure; valid until the next call. */
const char *qtls_why(const struct qtls_session *s);

#endif
