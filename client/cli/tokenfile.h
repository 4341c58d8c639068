/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions on disk: ${XDG_CONFIG_HOME:-~/.config}/qmesh/session, mode 0600,
 * one line per server: server, expiry (ms since 1970), token.
 */
#ifndef QM_TOKENFILE_H
#define QM_TOKENFILE_H

#include <stdint.h>

#include "base/cleanup.h"

/* The session for a server; *ret_token on the heap, NULL: none or expired. -EACCES: the file is
 * open to others; -errno. */
int tokenfile_get(const char *server, int64_t now_ms, char **ret_token) _must_check_;
/* Puts or replaces the server's session. */
int tokenfile_put(const char *server, int64_t expires_ms, const char *token) _must_check_;
/* Takes the server's session out. */
int tokenfile_drop(const char *server) _must_check_;
/* A token from a file of somebody else's: the first line. */
int tokenfile_read(const char *path, char **ret_token) _must_check_;
/* Wipes and frees. */
void tokenfile_free(char *token);

#endif
