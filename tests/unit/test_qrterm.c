/* SPDX-License-Identifier: Apache-2.0 */
/* QR codes on a terminal: every module is where the code has it. */
#include <errno.h>
#include <qrencode.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/cli/qrterm.h"

static const char config[] =
	"[Interface]\nPrivateKey = "
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nAddress = 10.64.16.1/32\n";

/* The code again, the way the drawing should have it. */
static bool dark(const QRcode *qr, int x, int y)
{
	x -= 2;
	y -= 2;
	return x >= 0 && y >= 0 && x < qr->width && y < qr->width &&
	       (qr->data[y * qr->width + x] & 1);
}

/* Half blocks: bit 0 the upper module, bit 1 the lower one. */
static int block(const char **s)
{
	static const char *const glyphs[] = {" ", "\u2580", "\u2584", "\u2588"};

	for (int i = 0; i < 4; i++) {
		size_t len = strlen(glyphs[i]);

		if (strncmp(*s, glyphs[i], len) == 0) {
			*s += len;
			return i;
		}
	}
	fail_msg("no such glyph: %.8s", *s);
	return 0;
}

static void test_blocks(void **state)
{
	QRcode *qr = QRcode_encodeString8bit(config, 0, QR_ECLEVEL_L);
	struct text out = TEXT_INIT(100000);
	struct qrterm_size size;
	const char *s;

	(void)state;
	assert_int_equal(qrterm_draw(config, QRTERM_BLOCKS, false, &out, &size), 0);
	assert_int_equal(size.columns, qr->width + 4);
	assert_int_equal(size.rows, (qr->width + 5) / 2);
	s = out.s;
	for (int y = 0; y < (int)size.rows * 2; y += 2) {
		for (int x = 0; x < (int)size.columns; x++) {
			int bits = block(&s);

			assert_int_equal(bits & 1, dark(qr, x, y));
			assert_int_equal(bits >> 1, dark(qr, x, y + 1));
		}
		assert_int_equal(*s++, '\n');
	}
	assert_int_equal(*s, '\0');
	QRcode_free(qr);
	text_done(&out);
}

static void test_ascii(void **state)
{
	QRcode *qr = QRcode_encodeString8bit(config, 0, QR_ECLEVEL_L);
	struct text out = TEXT_INIT(100000);
	struct qrterm_size size;
	const char *s;

	(void)state;
	assert_int_equal(qrterm_draw(config, QRTERM_ASCII, false, &out, &size), 0);
	assert_int_equal(size.columns, 2 * (qr->width + 4));
	s = out.s;
	for (int y = 0; y < (int)size.rows; y++) {
		for (int x = 0; x < qr->width + 4; x++, s += 2)
			assert_memory_equal(s, dark(qr, x, y) ? "##" : "  ", 2);
		assert_int_equal(*s++, '\n');
	}
	QRcode_free(qr);
	text_done(&out);
}

static void test_colour(void **state)
{
	struct text out = TEXT_INIT(100000);
	struct qrterm_size size;
	unsigned n = 0;

	(void)state;
	assert_int_equal(qrterm_draw(config, QRTERM_BLOCKS, true, &out, &size), 0);
	for (const char *line = out.s; *line; n++) {
		const char *end = strchr(line, '\n');

		assert_int_equal(strncmp(line, "\033[30;107m", 9), 0);
		assert_int_equal(strncmp(end - 4, "\033[0m", 4), 0);
		line = end + 1;
	}
	assert_int_equal(n, size.rows);
	text_done(&out);
}

static void test_too_much(void **state)
{
	struct text small = TEXT_INIT(100), out = TEXT_INIT(100000);
	struct qrterm_size size;
	char longest[4000];

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(qrterm_draw(longest, QRTERM_BLOCKS, false, &out, &size), -ERANGE);
	assert_int_equal(qrterm_draw(config, QRTERM_BLOCKS, false, &small, &size), -ENOMEM);
	text_done(&small);
	text_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_ascii),
		cmocka_unit_test(test_colour),
		cmocka_unit_test(test_too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
