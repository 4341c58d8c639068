/* SPDX-License-Identifier: Apache-2.0 */
/* identity.c and statefile.c: keys are made once, kept 0600, and damage is seen. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/node/identity.h"
#include "server/node/statefile.h"

static char dir[64];

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/qmesh-identity.XXXXXX");
	return sign_init() || !mkdtemp(dir);
}

static int remove_dir(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/identity", dir);
	unlink(path);
	return rmdir(dir);
}

static void test_once(void **state)
{
	struct identity made, again;
	struct stat st;
	char path[128];

	(void)state;
	assert_int_equal(identity_load(dir, &made), 0);
	assert_true(uuid_is_nil(&made.node_id));
	assert_int_equal(made.wg_private.b[0] & 7, 0); /* clamped */
	snprintf(path, sizeof(path), "%s/identity", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	made.node_id = uuid_make();
	made.tenant_id = uuid_make();
	made.has_pin = true;
	made.cp_pin[7] = 9;
	assert_int_equal(identity_save(dir, &made), 0);
	assert_int_equal(identity_load(dir, &again), 0);
	assert_true(key_equal(&made.wg_private, &again.wg_private));
	assert_true(key_equal(&made.wg_public, &again.wg_public));
	assert_memory_equal(made.sign_secret, again.sign_secret, SIGN_SECRET_LEN);
	assert_true(uuid_equal(&made.node_id, &again.node_id));
	assert_memory_equal(made.cp_pin, again.cp_pin, 32);
}

static void test_damage(void **state)
{
	static const char *const bad[] = {"", "nonsense\n", "wg_private_key AAAA\n", "node_id 1\n"};
	struct identity id;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(statefile_write(dir, "identity", bad[i], strlen(bad[i])), 0);
		assert_true(identity_load(dir, &id) < 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests_name("identity", tests, make_dir, remove_dir);
}
