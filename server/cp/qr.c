/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row is one line of width 1, drawn where its modules are dark: a code of 345
 * bytes is some 11 kB instead of libqrencode's own 167. Width and height are
 * whole multiples of the modules: readers fail on fractions.
 */
#include "server/cp/qr.h"

#include <malloc.h>
#include <qrencode.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/key.h"

enum { QUIET = 4, MODULE_PX = 4 };

/*
 * The library copies the text, its bits and its code words into a dozen blocks
 * and frees them as they are. So this program's free is our own: on a thread
 * that is making a code it wipes. A block that grows is copied by us, because
 * the C library would free the old one unseen.
 */
static __thread bool wiping;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
size_t __sanitizer_get_allocated_size(const volatile void *p);
void __sanitizer_free_hook(const volatile void *p);

void __sanitizer_free_hook(const volatile void *p)
{
	if (wiping && p)
		explicit_bzero((void *)(uintptr_t)p, __sanitizer_get_allocated_size(p));
}
#else
void __libc_free(void *p);
void *__libc_realloc(void *p, size_t len);

void free(void *p)
{
	if (wiping && p)
		explicit_bzero(p, malloc_usable_size(p));
	__libc_free(p);
}

void *realloc(void *p, size_t len)
{
	size_t old_len;
	void *copy;

	if (!wiping || !p || len == 0)
		return __libc_realloc(p, len);
	old_len = malloc_usable_size(p);
	copy = malloc(len);
	if (!copy)
		return NULL;
	memcpy(copy, p, old_len < len ? old_len : len);
	free(p);
	return copy;
}
#endif

static void code_freep(QRcode **code)
{
	wiping = true;
	QRcode_free(*code);
	wiping = false;
}

static QRcode *encode(const char *text, size_t len)
{
	QRcode *code;

	wiping = true;
	code = QRcode_encodeData((int)len, (const unsigned char *)text, 0, QR_ECLEVEL_M);
	wiping = false;
	return code;
}

/* One row of path commands; formatted by hand: printf was half of the whole cost. */
struct line {
	char s[1024]; /* the largest code has 177 modules: fewer than 89 runs of "m177 0h177" */
	size_t len;
};

static void put_char(struct line *l, char c)
{
	l->s[l->len++] = c;
}

static void put_number(struct line *l, int n)
{
	if (n >= 100)
		put_char(l, (char)('0' + n / 100));
	if (n >= 10)
		put_char(l, (char)('0' + n / 10 % 10));
	put_char(l, (char)('0' + n % 10));
}

static void put_text(struct line *l, const char *s)
{
	while (*s)
		put_char(l, *s++);
}

static void add_row(const unsigned char *row, int width, int y, struct text *out)
{
	struct line line = {.len = 0};
	int at = 0;

	put_char(&line, 'M');
	put_number(&line, QUIET);
	put_char(&line, ' ');
	put_number(&line, y + QUIET);
	put_text(&line, ".5");
	for (int x = 0; x < width;) {
		int run = 0;

		while (x + run < width && (row[x + run] & 1))
			run++;
		if (run && x > at) {
			put_char(&line, 'm');
			put_number(&line, x - at);
			put_text(&line, " 0");
		}
		if (run) {
			put_char(&line, 'h');
			put_number(&line, run);
			at = x + run;
		}
		x += run ? run : 1;
	}
	text_add(out, line.s, line.len);
	key_wipe_bytes(&line, sizeof(line));
}

int qr_svg(const char *config, struct text *out)
{
	_cleanup_(code_freep) QRcode *code = NULL;
	size_t len = strlen(config);
	int side;

	if (len > QR_TEXT_MAX)
		return err_origin(-EMSGSIZE);
	code = encode(config, len);
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
