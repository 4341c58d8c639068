/* SPDX-License-Identifier: Apache-2.0 */
/* Labels and slugs as design section 6 has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/err.h"
#include "base/label.h"

static void expect(const char *s, const char *text, const char *slug)
{
	struct label label;
	const char *rule = NULL;

	assert_int_equal(label_parse(s, &label, &rule), 0);
	assert_string_equal(label.text, text);
	assert_string_equal(label.slug, slug);
	assert_true(label_is_slug(label.slug));
}

static void refuse(const char *s, int want)
{
	struct label label = {.text = "untouched"};
	const char *rule = NULL;

	assert_int_equal(label_parse(s, &label, &rule), want);
	assert_string_equal(label.text, "untouched");
	assert_non_null(rule);
}

static void slugs(void **state)
{
	(void)state;
	expect("phone", "phone", "phone");
	expect("Renée Müller", "Renée Müller", "renee-muller");
	expect("  Anna's  iPhone 15 Pro!  ", "  Anna's  iPhone 15 Pro!  ", "anna-s-iphone-15-pro");
	expect("--a--b--", "--a--b--", "a-b");
	expect("ＦＵＬＬ１２", "ＦＵＬＬ１２", "full12");
	expect("ﬁne ①", "ﬁne ①", "fine-1");
	expect("Ångström", "Ångström", "angstrom");
	expect("K9", "K9", "k9");
	expect("日本 1", "日本 1", "1");
	expect("<script>alert(\"1\")</script>", "<script>alert(\"1\")</script>",
	       "script-alert-1-script");
	expect("phone 📱", "phone 📱", "phone");
	expect("cp2", "cp2", "cp2");
	/* Selectors: the coloured heart, a key's cap, one of the forms of a Chinese character. */
	expect("\u2764\ufe0f phone", "\u2764\ufe0f phone", "phone");
	expect("phone 1\ufe0f\u20e3", "phone 1\ufe0f\u20e3", "phone-1");
	expect("\u845b\U000e0100 1", "\u845b\U000e0100 1", "1");
	/* A family is written with joiners. */
	expect("us 👨‍👩‍👧", "us 👨‍👩‍👧", "us");
}

static void typed_decomposed_is_kept_composed(void **state)
{
	(void)state;
	expect("Rene\xcc\x81", "Ren\xc3\xa9", "rene");
	/* Hangul. */
	expect("\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab 7", "\xed\x95\x9c 7", "7");
}

static void sixty_four_characters_at_most(void **state)
{
	char s[200], slug[SLUG_MAX + 1];

	(void)state;
	memset(s, 'x', sizeof(s));
	s[64] = '\0';
	memset(slug, 'x', sizeof(slug));
	slug[SLUG_MAX] = '\0';
	expect(s, s, slug);
	s[64] = 'x';
	s[65] = '\0';
	refuse(s, ERR_LABEL_INVALID);
	/* 64 typed in two code points each are still 64. */
	for (int i = 0; i < 64; i++)
		memcpy(s + 3 * i, "e\xcc\x81", 3);
	s[192] = '\0';
	{
		char composed[129];

		for (int i = 0; i < 64; i++)
			memcpy(composed + 2 * i, "\xc3\xa9", 2);
		composed[128] = '\0';
		memset(slug, 'e', SLUG_MAX);
		expect(s, composed, slug);
	}
	/* Cut at 63, then no hyphen at the end. */
	memset(s, 'x', sizeof(s));
	memcpy(s + 62, "-y", 3);
	memset(slug, 'x', sizeof(slug));
	slug[62] = '\0';
	expect(s, s, slug);
}

static void invalid_labels(void **state)
{
	(void)state;
	refuse("", ERR_LABEL_INVALID);
	refuse("📱", ERR_LABEL_INVALID);
	refuse("👨‍👩‍👧", ERR_LABEL_INVALID);
	refuse("   ", ERR_LABEL_INVALID);
	refuse("---", ERR_LABEL_INVALID);
	refuse("日本", ERR_LABEL_INVALID);
	refuse("my\nphone", ERR_LABEL_INVALID);
	refuse("my\tphone", ERR_LABEL_INVALID);
	refuse("phone\u3164", ERR_LABEL_INVALID);
	refuse("\u115fphone", ERR_LABEL_INVALID);
	refuse("pho\u034fne", ERR_LABEL_INVALID);
	refuse("phone\u2800", ERR_LABEL_INVALID);
	refuse("phone\ufe0f", ERR_LABEL_INVALID);
	refuse("\ufe0fphone", ERR_LABEL_INVALID);
	refuse("my\x7fphone", ERR_LABEL_INVALID);
	refuse("my\xc2\x85phone", ERR_LABEL_INVALID);
	refuse("my\xe2\x80\xaephone", ERR_LABEL_INVALID); /* RLO */
	refuse("my\xe2\x80\x8fphone", ERR_LABEL_INVALID); /* RLM */
	refuse("my\xe2\x81\xa6phone", ERR_LABEL_INVALID); /* LRI */
	refuse("my\xd8\x9cphone", ERR_LABEL_INVALID);     /* ALM */
	refuse("my\xe2\x80\xa8phone", ERR_LABEL_INVALID); /* line separator */
	refuse("my\xe2\x80\x8bphone", ERR_LABEL_INVALID); /* zero width space */
	refuse("my\xe2\x80\x8dphone", ERR_LABEL_INVALID); /* a joiner that joins nothing */
	refuse("\xef\xbb\xbfphone", ERR_LABEL_INVALID);   /* byte order mark */
	refuse("my\xffphone", ERR_LABEL_INVALID);
	refuse("my\xed\xa0\x80phone", ERR_LABEL_INVALID);
	refuse("my\xee\x80\x80phone", ERR_LABEL_INVALID); /* private use */
}

static void very_long_input_is_refused(void **state)
{
	static char s[100001];

	(void)state;
	memset(s, 'a', sizeof(s) - 1);
	refuse(s, ERR_LABEL_INVALID);
	/* One letter under 200 accents. */
	s[0] = 'a';
	for (int i = 0; i < 200; i++)
		memcpy(s + 1 + 2 * i, "\xcc\x81", 2);
	s[401] = '\0';
	refuse(s, ERR_LABEL_INVALID);
}

static void reserved_names(void **state)
{
	static const char *const names[] = {"cp",     "gw",   "ns",        "www",   "wpad",
					    "isatap", "mesh", "localhost", "WPAD",  "Wpad",
					    " wpad ", "wpád", "ｗｐａｄ",  "-mesh-"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		refuse(names[i], ERR_LABEL_RESERVED);
}

static void numbered(void **state)
{
	char slug[SLUG_MAX + 1], out[SLUG_MAX + 1];

	(void)state;
	label_numbered("phone", 2, out);
	assert_string_equal(out, "phone-2");
	memset(slug, 'x', SLUG_MAX);
	slug[SLUG_MAX] = '\0';
	slug[60] = '-';
	label_numbered(slug, 12, out);
	assert_int_equal(strlen(out), 63);
	assert_string_equal(out + 60, "-12");
	assert_true(label_is_slug(out));
	/* Into itself. */
	label_numbered(slug, 4294967295u, slug);
	assert_true(label_is_slug(slug));
}

static void slug_rule(void **state)
{
	static const char *const bad[] = {"", "-", "-a", "a-", "A", "a_b", "a.b", "é", "a b"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(label_is_slug(bad[i]));
	assert_true(label_is_slug("a"));
	assert_true(label_is_slug("0-9"));
}

/* Sign-in names: nothing that looks like another, nothing that turns the line around. */
static void accounts(void **state)
{
	static const char *const good[] = {"ann", "ann@example.com", "..", "ren\u00e9e", "\u674e"};
	static const char *const bad[] = {
		"", " ", "a b", "a\tb", "a\u00a0", "a\u200b",
		"\u202e"
		"a",
		"a\u2028"
		"b",
		"an\u0301n",
		/* Drawn as nothing, though letters and marks by category. */
		"bob\u3164", "bob\u115f", "b\u1160ob", "bob\uffa0", "bo\u034fb", "bob\u17b4",
		"bob\ufe0f", "bob\U000e0100", "\u674e\ufe00", "bob\u2800", "\u674e\u200d\u674e",
		"\x7f", "\xff", "a\xc3"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(label_is_account(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(label_is_account(bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slugs),
		cmocka_unit_test(typed_decomposed_is_kept_composed),
		cmocka_unit_test(sixty_four_characters_at_most),
		cmocka_unit_test(invalid_labels),
		cmocka_unit_test(very_long_input_is_refused),
		cmocka_unit_test(reserved_names),
		cmocka_unit_test(numbered),
		cmocka_unit_test(slug_rule),
		cmocka_unit_test(accounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
