/* SPDX-License-Identifier: Apache-2.0 */
/* One IssueCertificate at the Control Panel, on the link's thread; blocks. */
#ifndef QM_CERTASK_H
#define QM_CERTASK_H

#include <stddef.h>
#include <stdint.h>

struct node;

/* What comes of it goes to keeper_certificate. */
void certask_run(struct node *n, const uint8_t *csr, size_t len);

#endif
