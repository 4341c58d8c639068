/* SPDX-License-Identifier: Apache-2.0 */
/* The listener's certificate, and what certificates say, by OpenSSL. */
#ifndef QM_CERT_H
#define QM_CERT_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/* A P-256 key (0600) and a self-signed certificate for this host and loopback. */
int cert_make(const char *cert_file, const char *key_file) _must_check_;
/* SHA-256 over the SPKI of the first certificate in a PEM file. */
int cert_pin(const char *cert_file, uint8_t ret_pin[32]) _must_check_;

#define CERT_NAMES_MAX 512
#define CERT_SUBJECT_MAX 200

struct cert_info {
	size_t pem_len;          /* of the text up to its end */
	uint8_t fingerprint[32]; /* SHA-256 */
	uint8_t pin[32];         /* as cert_pin */
	int64_t from_s, until_s;
	char subject[CERT_SUBJECT_MAX]; /* "O = Quazzar Mesh, CN = home" */
	char names[CERT_NAMES_MAX];     /* alternative names: hosts and addresses, blanks between */
};

/* The first certificate in PEM text. -EBADMSG. */
int cert_read(const char *pem, struct cert_info *ret) _must_check_;

#endif
