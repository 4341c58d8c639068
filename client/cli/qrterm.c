/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QR codes for terminals by libqrencode; see qrterm.h. Level L: a screen does
 * not get scratched, and each version less is two rows less.
 */
#include "client/cli/qrterm.h"

#include <errno.h>
#include <langinfo.h>
#include <qrencode.h>
#include <string.h>
#include <sys/ioctl.h>

#define BORDER 2
#define BLACK_ON_WHITE "\033[30;107m"
#define COLOUR_END "\033[0m"

static bool is_dark(const QRcode *qr, int x, int y)
{
	x -= BORDER;
	y -= BORDER;
	if (x < 0 || y < 0 || x >= qr->width || y >= qr->width)
		return false;
	return qr->data[y * qr->width + x] & 1;
}

static void draw_blocks(const QRcode *qr, int side, bool colour, struct text *out)
{
	static const char *const glyphs[2][2] = {{" ", "\u2584"}, {"\u2580", "\u2588"}};

	for (int y = 0; y < side; y += 2) {
		text_adds(out, colour ? BLACK_ON_WHITE : "");
		for (int x = 0; x < side; x++)
			text_adds(out, glyphs[is_dark(qr, x, y)][is_dark(qr, x, y + 1)]);
		text_adds(out, colour ? COLOUR_END "\n" : "\n");
	}
}

static void draw_ascii(const QRcode *qr, int side, bool colour, struct text *out)
{
	for (int y = 0; y < side; y++) {
		text_adds(out, colour ? BLACK_ON_WHITE : "");
		for (int x = 0; x < side; x++)
			text_adds(out, is_dark(qr, x, y) ? "##" : "  ");
		text_adds(out, colour ? COLOUR_END "\n" : "\n");
	}
}

int qrterm_draw(const char *text, enum qrterm_style style, bool colour, struct text *out,
		struct qrterm_size *ret_size)
{
	QRcode *qr;
	int side;

	qr = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
	if (!qr)
		return errno == ERANGE ? -ERANGE : -ENOMEM;
	side = qr->width + 2 * BORDER;
	if (style == QRTERM_BLOCKS) {
		*ret_size = (struct qrterm_size){(unsigned)side, (unsigned)(side + 1) / 2};
		draw_blocks(qr, side, colour, out);
	} else {
		*ret_size = (struct qrterm_size){(unsigned)side * 2, (unsigned)side};
		draw_ascii(qr, side, colour, out);
	}
	explicit_bzero(qr->data, (size_t)qr->width * (size_t)qr->width);
	QRcode_free(qr);
	return out->failed ? -ENOMEM : 0;
}

enum qrterm_style qrterm_style(void)
{
	const char *codeset = nl_langinfo(CODESET);

	return codeset && strcasecmp(codeset, "UTF-8") == 0 ? QRTERM_BLOCKS : QRTERM_ASCII;
}

bool qrterm_window(int fd, struct qrterm_size *ret_size)
{
	struct winsize w;

	if (ioctl(fd, TIOCGWINSZ, &w) < 0 || w.ws_col == 0 || w.ws_row == 0)
		return false;
	*ret_size = (struct qrterm_size){w.ws_col, w.ws_row};
	return true;
}
