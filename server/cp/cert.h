/* SPDX-License-Identifier: Apache-2.0 */
/* The listener's certificate, by OpenSSL. */
#ifndef QM_CERT_H
#define QM_CERT_H

#include <stdint.h>

#include "base/cleanup.h"

/* A P-256 key (0600) and a self-signed certificate for this host and loopback. */
int cert_make(const char *cert_file, const char *key_file) _must_check_;
/* SHA-256 over the SPKI of the first certificate in a PEM file. */
int cert_pin(const char *cert_file, uint8_t ret_pin[32]) _must_check_;

#endif
