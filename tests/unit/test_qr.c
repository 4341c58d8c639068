/* SPDX-License-Identifier: Apache-2.0 */
/* The QR's form; that scanners read it is the flow tier's to show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/cp/qr.h"

static void whole_pixels_and_quiet_zone(void **state)
{
	_cleanup_(text_done) struct text out = TEXT_INIT(QR_SVG_MAX);
	int side, modules;
	const char *p;

	(void)state;
	assert_int_equal(qr_svg("[Interface]\nPrivateKey = x\n", &out), 0);
	assert_int_equal(
		sscanf(out.s, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\"", &side), 1);
	p = strstr(out.s, "viewBox=\"0 0 ");
	assert_non_null(p);
	modules = atoi(p + 13);
	assert_int_equal(side % modules, 0);
	assert_true(side / modules >= 3);
	/* Finder pattern: the first row starts with seven dark modules at (4, 4). */
	assert_non_null(strstr(out.s, "M4 4.5h7"));
	assert_null(strstr(out.s, "M3 "));
	assert_non_null(strstr(out.s, "shape-rendering=\"crispEdges\""));
}

static void nothing_but_numbers(void **state)
{
	_cleanup_(text_done) struct text out = TEXT_INIT(QR_SVG_MAX);
	const char *path;

	(void)state;
	assert_int_equal(qr_svg("<script>&\"'", &out), 0);
	assert_null(strstr(out.s, "script"));
	path = strstr(out.s, "stroke=\"#000\" d=\"");
	assert_non_null(path);
	path += strlen("stroke=\"#000\" d=\"");
	assert_int_equal(path[strspn(path, "Mmh0123456789. ")], '"');
}

static void bounded(void **state)
{
	_cleanup_(text_done) struct text out = TEXT_INIT(QR_SVG_MAX), small = TEXT_INIT(200);
	char longest[QR_TEXT_MAX + 2];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[QR_TEXT_MAX] = '\0';
	assert_int_equal(qr_svg(longest, &out), 0);
	assert_true(out.len < QR_SVG_MAX);
	assert_true(qr_svg("x", &small) < 0);
	longest[QR_TEXT_MAX] = 'x';
	longest[QR_TEXT_MAX + 1] = '\0';
	assert_true(qr_svg(longest, &out) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_pixels_and_quiet_zone),
		cmocka_unit_test(nothing_but_numbers),
		cmocka_unit_test(bounded),
	};

	return cmocka_run_group_tests_name("qr", tests, NULL, NULL);
}
