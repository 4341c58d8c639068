/* SPDX-License-Identifier: Apache-2.0 */
/* Root keys on disk and the tokens they sign. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/err.h"
#include "server/cp/keyring.h"

static char dir[128];

static int fresh(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/qmesh-test-keyring-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int clear(void **state)
{
	char command[160];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static struct claims session(void)
{
	struct claims c = {.tenant_id = uuid_make(),
			   .user_id = uuid_make(),
			   .session_id = uuid_make(),
			   .role = ROLE_MEMBER,
			   .name = "ann",
			   .issued_at_s = 1000,
			   .expires_at_s = 2000};

	strcpy(c.aud, CLAIMS_AUD_CP);
	return c;
}

static const char *file(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/keys/%s", dir, name);
	return path;
}

static void keys_survive_a_restart(void **state)
{
	_cleanup_(keyring_freep) struct keyring *first = NULL, *second = NULL;
	static const uint8_t node[16] = {7};
	struct key before, after;
	struct stat st;

	(void)state;
	assert_int_equal(keyring_open(dir, &first), 0);
	assert_int_equal(keyring_open(dir, &second), 0);
	for (int use = 0; use < KEYRING_N_USES; use++)
		assert_string_equal(keyring_kid(first, use), keyring_kid(second, use));
	assert_string_not_equal(keyring_kid(first, KEYRING_SESSIONS),
				keyring_kid(first, KEYRING_AGENTS));
	keyring_k_n(first, node, 1, &before);
	keyring_k_n(second, node, 1, &after);
	assert_true(key_equal(&before, &after));
	for (size_t i = 0; i < 5; i++) {
		static const char *const names[] = {"sessions.key", "agents.key", "lists.key",
						    "psk-1.key", "tls.key"};

		assert_int_equal(stat(file(names[i]), &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
}

static void tokens_of_one_kind_only(void **state)
{
	_cleanup_(keyring_freep) struct keyring *k = NULL;
	_cleanup_(freep) char *token = NULL, *agent = NULL;
	struct claims c = session(), got;

	(void)state;
	assert_int_equal(keyring_open(dir, &k), 0);
	token = keyring_session_token(k, &c);
	assert_int_equal(keyring_open_session(k, token, 1999999, &got), 0);
	assert_true(uuid_equal(&got.session_id, &c.session_id));
	assert_string_equal(got.name, "ann");
	assert_int_equal(keyring_open_session(k, token, 2000000, &got), ERR_TOKEN_INVALID);
	assert_int_equal(keyring_open_agent(k, token, 1500000, &got), ERR_TOKEN_INVALID);
	assert_false(keyring_is_agent(k, token));
	/* An agent token must say so in its audience too. */
	agent = keyring_agent_token(k, &c);
	assert_true(keyring_is_agent(k, agent));
	assert_int_equal(keyring_open_agent(k, agent, 1500000, &got), ERR_TOKEN_INVALID);
	token[strlen(token) - 5] ^= 1;
	assert_int_equal(keyring_open_session(k, token, 1500000, &got), ERR_TOKEN_INVALID);
}

static void anothers_tokens_are_nothing(void **state)
{
	_cleanup_(keyring_freep) struct keyring *ours = NULL, *theirs = NULL;
	_cleanup_(freep) char *token = NULL;
	struct claims c = session(), got;

	(void)state;
	assert_int_equal(keyring_open(dir, &ours), 0);
	assert_int_equal(unlink(file("sessions.key")), 0);
	assert_int_equal(keyring_open(dir, &theirs), 0);
	token = keyring_session_token(theirs, &c);
	assert_int_equal(keyring_open_session(ours, token, 1500000, &got), ERR_TOKEN_INVALID);
}

static void wide_short_or_linked_files_are_refused(void **state)
{
	struct keyring *k = NULL;
	char aside[300];

	(void)state;
	assert_int_equal(keyring_open(dir, &k), 0);
	keyring_free(k);
	assert_int_equal(chmod(file("psk-1.key"), 0640), 0);
	assert_int_equal(keyring_open(dir, &k), -EPERM);
	assert_int_equal(chmod(file("psk-1.key"), 0600), 0);
	snprintf(aside, sizeof(aside), "%s/elsewhere", dir);
	assert_int_equal(rename(file("lists.key"), aside), 0);
	assert_int_equal(symlink(aside, file("lists.key")), 0);
	assert_true(keyring_open(dir, &k) < 0);
	assert_int_equal(unlink(file("lists.key")), 0);
	assert_int_equal(rename(aside, file("lists.key")), 0);
	assert_int_equal(truncate(file("lists.key"), 10), 0);
	assert_int_equal(keyring_open(dir, &k), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(keys_survive_a_restart, fresh, clear),
		cmocka_unit_test_setup_teardown(tokens_of_one_kind_only, fresh, clear),
		cmocka_unit_test_setup_teardown(anothers_tokens_are_nothing, fresh, clear),
		cmocka_unit_test_setup_teardown(wide_short_or_linked_files_are_refused, fresh,
						clear),
	};

	if (sign_init())
		return 1;
	return cmocka_run_group_tests_name("keyring", tests, NULL, NULL);
}
