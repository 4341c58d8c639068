/* SPDX-License-Identifier: Apache-2.0 */
/* A config as a QR code, by libqrencode: numbers only, one SVG path. */
#ifndef QM_QR_H
#define QM_QR_H

#include "base/text.h"

#define QR_TEXT_MAX 700
#define QR_SVG_MAX 65536

/* Level M, quiet zone of 4, whole pixels. -EMSGSIZE over QR_TEXT_MAX; out->failed is -ENOMEM. */
int qr_svg(const char *config, struct text *out) _must_check_;

#endif
