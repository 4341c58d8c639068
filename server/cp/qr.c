/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row is one line of width 1, drawn where its modules are dark: a code of 345
 * bytes is some 11 kB instead of libqrencode's own 167. Width and height are
 * whole multiples of the modules: readers fail on fractions.
 */
#include "server/cp/qr.h"

#include <qrencode.h>
#include <string.h>

#include "base/err.h"
#include "base/key.h"

enum { QUIET = 4, MODULE_PX = 4 };

static void code_freep(QRcode **code)
{
	if (!*code)
		return;
	key_wipe_bytes((*code)->data, (size_t)(*code)->width * (size_t)(*code)->width);
	QRcode_free(*code);
}

static void add_row(const unsigned char *row, int width, int y, struct text *out)
{
	int at = 0;

	text_addf(out, "M%d %d.5", QUIET, y + QUIET);
	for (int x = 0; x < width;) {
		int run = 0;

		while (x + run < width && (row[x + run] & 1))
			run++;
		if (run && x > at)
			text_addf(out, "m%d 0", x - at);
		if (run) {
			text_addf(out, "h%d", run);
			at = x + run;
		}
		x += run ? run : 1;
	}
}

int qr_svg(const char *config, struct text *out)
{
	_cleanup_(code_freep) QRcode *code = NULL;
	size_t len = strlen(config);
	int side;

	if (len > QR_TEXT_MAX)
		return err_origin(-EMSGSIZE);
	code = QRcode_encodeData((int)len, (const unsigned char *)config, 0, QR_ECLEVEL_M);
	if (!code)
		return err_origin(-errno);
	side = code->width + 2 * QUIET;
	text_addf(out,
		  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\""
		  " viewBox=\"0 0 %d %d\" shape-rendering=\"crispEdges\">"
		  "<path fill=\"#fff\" d=\"M0 0h%dv%dh-%dz\"/><path stroke=\"#000\" d=\"",
		  side * MODULE_PX, side * MODULE_PX, side, side, side, side, side);
	for (int y = 0; y < code->width; y++)
		add_row(code->data + (size_t)y * (size_t)code->width, code->width, y, out);
	text_adds(out, "\"/></svg>");
	return out->failed ? -ENOMEM : 0;
}
