/* SPDX-License-Identifier: Apache-2.0 */
/* A QR code on a terminal. */
#ifndef QM_QRTERM_H
#define QM_QRTERM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/text.h"

enum qrterm_style {
	QRTERM_BLOCKS, /* UTF-8 half blocks: two modules in one character */
	QRTERM_ASCII,  /* two characters for one module */
};

struct qrterm_size {
	unsigned columns, rows;
};

/*
 * Draws text (level L, light border of 2 modules) into out. colour: forces
 * black on white by escape codes, for dark terminals. -ERANGE: too long for a
 * QR code, -ENOMEM. What is drawn is as secret as the text: text_done wipes it.
 */
int qrterm_draw(const char *text, enum qrterm_style style, bool colour, struct text *out,
		struct qrterm_size *ret_size) _must_check_;
/* Blocks when the locale is UTF-8. */
enum qrterm_style qrterm_style(void);
/* Size of the terminal behind fd; false: it is none. */
bool qrterm_window(int fd, struct qrterm_size *ret_size);

#endif
