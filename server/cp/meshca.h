/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CA of one tenant and the certificates it gives to nodes, by OpenSSL. Pure: keys and
 * times come in, DER and PEM go out; nothing is kept.
 */
#ifndef QM_MESHCA_H
#define QM_MESHCA_H

#include <stdint.h>

#include "base/cidr.h"
#include "base/cleanup.h"
#include "server/cp/keyring.h"

#define MESHCA_DER_MAX 2048
#define MESHCA_PEM_MAX 4096
#define MESHCA_YEARS 20
#define MESHCA_NODE_DAYS 90

struct meshca_tenant {
	const char *name; /* 63 bytes at most */
	struct cidr range4, range6;
};

/* What signs: the secret that its key derives from, and its certificate. */
struct meshca {
	const uint8_t *secret; /* KEYRING_CA_LEN */
	const uint8_t *der;
	size_t der_len;
};

struct meshca_node {
	const char *slug; /* "n1": its name is n1.quazzar.mesh */
	struct cidr ip4, ip6;
};

/*
 * The certificate of the CA whose key derives from the secret: good for names under
 * quazzar.mesh, addresses in the ranges, servers of TLS, and no CA below it.
 */
int meshca_make(const uint8_t secret[KEYRING_CA_LEN], const struct meshca_tenant *tenant,
		int64_t now_ms, uint8_t ret_der[MESHCA_DER_MAX], size_t *ret_len) _must_check_;
/*
 * A certificate for the key in a PKCS #10 request, from an hour ago to 90 days ahead: of the
 * request only the key is taken. PEM with its NUL. -EBADMSG: no such request, or not signed
 * by its key; -ENOKEY: its key is not on P-256.
 */
int meshca_issue(const struct meshca *ca, const uint8_t *csr, size_t csr_len,
		 const struct meshca_node *node, int64_t now_ms, char ret_pem[MESHCA_PEM_MAX])
	_must_check_;
/* -EBADMSG. */
int meshca_pem(const uint8_t *der, size_t len, char ret_pem[MESHCA_PEM_MAX]) _must_check_;

#endif
