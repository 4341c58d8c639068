/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This node's key for HTTPS on the mesh and the certificate it was given, by OpenSSL. The key
 * is made here and leaves only into <state_dir>/https.pem (0600), which has the mark of the
 * CAs, the key and the certificate: one file, so that they never part. The CAs are beside it in
 * https-ca.pem. Belongs to the keeper's thread.
 */
#ifndef QM_NODECERT_H
#define QM_NODECERT_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "quazzar/mesh/v1/agent.pb-c.h"
#include "server/rpc/cert.h"

#define NODECERT_FILE "https.pem"
#define NODECERT_CA_FILE "https-ca.pem"
#define NODECERT_KEY_MAX 1024
#define NODECERT_CSR_MAX 1024
#define NODECERT_MARK_MAX 100

struct nodecert {
	char key[NODECERT_KEY_MAX]; /* PEM */
	char mark[NODECERT_MARK_MAX + 1];
	bool has_leaf;
	struct cert_info leaf;
	char *ca; /* PEM; NULL while there is none */
};

/* What is on disk; what is not there, or of no use, is made anew. -EIO, -ENOMEM. */
int nodecert_load(const char *state_dir, struct nodecert *ret) _must_check_;
void nodecert_done(struct nodecert *c); /* wipes */
/* A PKCS #10 request, DER. */
int nodecert_request(const struct nodecert *c, uint8_t ret[NODECERT_CSR_MAX], size_t *ret_len)
	_must_check_;
/*
 * Takes what the Control Panel gave, onto the disk first. -EBADMSG: it is for another key, or
 * not signed by the CA that comes with it; then nothing has changed.
 */
int nodecert_take(struct nodecert *c, const char *state_dir, const Pb__Certificate *from)
	_must_check_;
/*
 * Is another one needed? There is none, it has other names (as cert_info.names), is by other
 * CAs (mark; "": not known), or a third of its life or less is left.
 */
bool nodecert_is_due(const struct nodecert *c, const char *names, const char *mark, int64_t now_ms);

#endif
