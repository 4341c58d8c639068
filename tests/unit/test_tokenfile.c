/* SPDX-License-Identifier: Apache-2.0 */
/* Stored sessions: one per server, for their owner only. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "client/cli/outfile.h"
#include "client/cli/tokenfile.h"

static char dir[] = "/tmp/qmesh-tokenfile-XXXXXX";
static char path[128];

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/deep/er", dir);
	setenv("XDG_CONFIG_HOME", path, 1);
	snprintf(path, sizeof(path), "%s/deep/er/qmesh/session", dir);
	return 0;
}

static int tear_down(void **state)
{
	static const char *const parts[] = {
		"/deep/er/qmesh/session", "/deep/er/qmesh", "/deep/er", "/deep", "/config", ""};

	(void)state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		char name[128];

		snprintf(name, sizeof(name), "%s%s", dir, parts[i]);
		remove(name);
	}
	return 0;
}

static void expect(const char *server, int64_t now, const char *want)
{
	char *token = NULL;

	assert_int_equal(tokenfile_get(server, now, &token), 0);
	if (want)
		assert_string_equal(token, want);
	else
		assert_null(token);
	tokenfile_free(token);
}

static void test_sessions(void **state)
{
	struct stat st;
	char *token;

	(void)state;
	expect("a", 0, NULL);
	assert_int_equal(tokenfile_put("a", 1000, "one"), 0);
	assert_int_equal(tokenfile_put("b", 2000, "two"), 0);
	expect("a", 999, "one");
	expect("a", 1000, NULL);
	expect("b", 1000, "two");
	expect("c", 0, NULL);
	assert_int_equal(tokenfile_put("a", 3000, "three"), 0);
	expect("a", 1000, "three");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(tokenfile_drop("a"), 0);
	expect("a", 0, NULL);
	expect("b", 0, "two");
	/* A file that others can read is not believed. */
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(tokenfile_get("b", 0, &token), -EACCES);
	/* Signing in again makes it private again. */
	assert_int_equal(tokenfile_put("a", 9, "new"), 0);
	expect("a", 0, "new");
}

static void test_outfile(void **state)
{
	struct outfile f;
	struct stat st;
	char name[64], *text;
	size_t len;

	(void)state;
	snprintf(name, sizeof(name), "%s/config", dir);
	assert_int_equal(outfile_open(name, false, &f), 0);
	/* Nothing there before it is whole. */
	assert_int_equal(access(name, F_OK), -1);
	assert_int_equal(outfile_commit(&f, "secret\n", 7), 0);
	assert_int_equal(stat(name, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(outfile_open(name, false, &f), -EEXIST);
	assert_int_equal(outfile_open(name, true, &f), 0);
	outfile_done(&f);
	assert_int_equal(outfile_read(name, 100, &text, &len), 0);
	assert_string_equal(text, "secret\n");
	free(text);
	assert_int_equal(outfile_read(name, 6, &text, &len), -EFBIG);
	assert_int_equal(tokenfile_read(name, &text), 0);
	assert_string_equal(text, "secret");
	tokenfile_free(text);
	assert_int_equal(outfile_open("/nowhere/at/all", false, &f), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_outfile),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
