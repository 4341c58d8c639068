/* SPDX-License-Identifier: Apache-2.0 */
/* Root keys on disk and the tokens they sign. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "server/cp/keyring.h"
#include "server/rpc/cert.h"

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

static struct keyring_info active(struct keyring *k, enum keyring_use use)
{
	struct keyring_info info;

	keyring_active(k, use, &info);
	return info;
}

/* "sessions 1 retiring, sessions 2 active": the states of a purpose. */
static const char *states_of(struct keyring *k, enum keyring_use use)
{
	static char text[256];
	struct keyring_info *infos;
	size_t n, len = 0;

	*text = '\0';
	assert_int_equal(keyring_list(k, &infos, &n), 0);
	for (size_t i = 0; i < n; i++) {
		if (infos[i].use == use)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u %s",
						len ? ", " : "", infos[i].version,
						keyring_state_name(infos[i].state));
	}
	free(infos);
	return text;
}

static bool there(const char *name)
{
	return access(file(name), F_OK) == 0;
}

static void rotate(struct keyring *k, enum keyring_use use, int64_t now_ms, int64_t until_ms)
{
	assert_int_equal(keyring_prepare(k, use, now_ms, false), 0);
	assert_int_equal(keyring_switch(k, use, now_ms, until_ms, false), 0);
}

static int is_named(void *arg, uint32_t version, bool *ret_named)
{
	*ret_named = arg && version == *(const uint32_t *)arg;
	return 0;
}

static void keys_survive_a_restart(void **state)
{
	_cleanup_(keyring_freep) struct keyring *first = NULL, *second = NULL;
	static const char *const names[] = {"sessions.key", "agents.key", "lists.key", "audit.key",
					    "psk-1.key",    "tls.key",    "ca.key",    "ring"};
	static const uint8_t node[16] = {7};
	struct key before, after;
	struct stat st;

	(void)state;
	assert_int_equal(keyring_open(dir, &first), 0);
	assert_int_equal(keyring_open(dir, &second), 0);
	for (int use = 0; use < KEYRING_N_USES; use++) {
		assert_string_equal(active(first, use).kid, active(second, use).kid);
		assert_string_equal(states_of(second, use), "1 active");
	}
	assert_string_not_equal(active(first, KEYRING_SESSIONS).kid,
				active(first, KEYRING_AGENTS).kid);
	assert_int_equal(keyring_k_n(first, node, 1, &before), 0);
	assert_int_equal(keyring_k_n(second, node, 1, &after), 0);
	assert_true(key_equal(&before, &after));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_int_equal(stat(file(names[i]), &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
}

/* The state directory of a program that knew one key of each purpose, and no ring. */
static void a_directory_from_before_goes_on(void **state)
{
	_cleanup_(keyring_freep) struct keyring *k = NULL, *again = NULL;
	_cleanup_(freep) char *token = NULL;
	uint8_t public[SIGN_PUBLIC_LEN], secret[SIGN_SECRET_LEN];
	static const uint8_t node[16] = {7};
	struct claims c = session(), got;
	struct key psk, want, k_n;
	FILE *f;

	(void)state;
	assert_int_equal(mkdir(file(""), 0700), 0);
	sign_make(public, secret);
	sign_random(psk.b, KEY_LEN);
	umask(077);
	f = fopen(file("sessions.key"), "w");
	assert_int_equal(fwrite(secret, 1, sizeof(secret), f), sizeof(secret));
	fclose(f);
	f = fopen(file("psk-1.key"), "w");
	assert_int_equal(fwrite(psk.b, 1, KEY_LEN, f), KEY_LEN);
	fclose(f);
	assert_int_equal(keyring_open(dir, &k), 0);
	assert_memory_equal(active(k, KEYRING_SESSIONS).public, public, sizeof(public));
	assert_string_equal(states_of(k, KEYRING_AUDIT), "1 active");
	key_psk_node(&psk, node, 1, &want);
	assert_int_equal(keyring_k_n(k, node, 1, &k_n), 0);
	assert_true(key_equal(&want, &k_n));
	token = keyring_session_token(k, &c);
	assert_int_equal(keyring_open(dir, &again), 0);
	assert_int_equal(keyring_open_session(again, token, 1500000, &got), 0);
}

static void a_rotated_key_lets_its_tokens_end(void **state)
{
	_cleanup_(keyring_freep) struct keyring *k = NULL, *again = NULL;
	_cleanup_(freep) char *old = NULL, *new = NULL;
	struct claims c = session(), got;
	struct keyring_info was, info;

	(void)state;
	assert_int_equal(keyring_open(dir, &k), 0);
	was = active(k, KEYRING_SESSIONS);
	old = keyring_session_token(k, &c);
	assert_int_equal(keyring_prepare(k, KEYRING_SESSIONS, 1100000, false), 0);
	assert_string_equal(states_of(k, KEYRING_SESSIONS), "1 active, 2 next");
	assert_string_equal(active(k, KEYRING_SESSIONS).kid, was.kid);
	/* Asked for again, as after a crash: it is the same one. */
	assert_int_equal(keyring_prepare(k, KEYRING_SESSIONS, 1100000, false), 0);
	assert_int_equal(keyring_switch(k, KEYRING_SESSIONS, 1200000, 1900000, false), 0);
	assert_string_equal(states_of(k, KEYRING_SESSIONS), "1 retiring, 2 active");
	assert_string_not_equal(active(k, KEYRING_SESSIONS).kid, was.kid);
	/* What was signed is checked by the public half: the other one is gone at once. */
	assert_false(there("sessions.key"));
	assert_true(there("sessions-2.key"));
	new = keyring_session_token(k, &c);
	assert_int_equal(keyring_open(dir, &again), 0);
	assert_int_equal(keyring_open_session(again, old, 1899999, &got), 0);
	assert_int_equal(keyring_open_session(again, new, 1899999, &got), 0);
	assert_int_equal(keyring_open_session(again, old, 1900000, &got), ERR_TOKEN_INVALID);
	assert_int_equal(keyring_open_session(again, new, 1900000, &got), 0);
	assert_int_equal(keyring_retire_due(again, 1899999, is_named, NULL, &info), ERR_NOT_FOUND);
	assert_int_equal(keyring_retire_due(again, 1900000, is_named, NULL, &info), 0);
	assert_string_equal(info.kid, was.kid);
	assert_int_equal(info.retired_ms, 1900000);
	assert_false(info.cut);
	assert_int_equal(keyring_retire_due(again, 1900000, is_named, NULL, &info), ERR_NOT_FOUND);
	/* Its public half stays known. */
	assert_int_equal(keyring_find(again, KEYRING_SESSIONS, was.kid, &info), 0);
	assert_memory_equal(info.public, was.public, SIGN_PUBLIC_LEN);
	assert_int_equal(keyring_find(again, KEYRING_LISTS, was.kid, &info), ERR_NOT_FOUND);
}

/* As a restored backup has it: the ring, without the files of sessions. */
static void a_key_that_is_taken_away_ends_those_before_it_too(void **state)
{
	_cleanup_(keyring_freep) struct keyring *k = NULL, *again = NULL;
	_cleanup_(freep) char *old = NULL;
	struct claims c = session(), got;

	(void)state;
	assert_int_equal(keyring_open(dir, &k), 0);
	old = keyring_session_token(k, &c);
	rotate(k, KEYRING_SESSIONS, 1100000, 1900000);
	assert_int_equal(keyring_open_session(k, old, 1200000, &got), 0);
	assert_int_equal(unlink(file("sessions-2.key")), 0);
	assert_int_equal(keyring_open(dir, &again), 0);
	assert_string_equal(states_of(again, KEYRING_SESSIONS), "1 retired, 2 retired, 3 active");
	assert_int_equal(keyring_open_session(again, old, 1200000, &got), ERR_TOKEN_INVALID);
}

static void a_cut_ends_all_of_its_purpose(void **state)
{
	_cleanup_(keyring_freep) struct keyring *k = NULL;
	_cleanup_(freep) char *first = NULL, *second = NULL, *agent = NULL;
	struct claims c = session(), got, a = session();
	struct keyring_info *infos;
	size_t n;

	(void)state;
	strcpy(a.aud, CLAIMS_AUD_AGENT);
	assert_int_equal(keyring_open(dir, &k), 0);
	first = keyring_session_token(k, &c);
	agent = keyring_agent_token(k, &a);
	rotate(k, KEYRING_SESSIONS, 1100000, 1900000);
	second = keyring_session_token(k, &c);
	assert_int_equal(keyring_prepare(k, KEYRING_SESSIONS, 1200000, false), 0);
	assert_int_equal(keyring_switch(k, KEYRING_SESSIONS, 1200000, 0, true), 0);
	assert_string_equal(states_of(k, KEYRING_SESSIONS), "1 retired, 2 retired, 3 active");
	assert_int_equal(keyring_open_session(k, first, 1300000, &got), ERR_TOKEN_INVALID);
	assert_int_equal(keyring_open_session(k, second, 1300000, &got), ERR_TOKEN_INVALID);
	assert_int_equal(keyring_open_agent(k, agent, 1300000, &got), 0);
	assert_int_equal(keyring_list(k, &infos, &n), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(infos[i].cut, infos[i].state == KEYRING_RETIRED);
	free(infos);
}

static void preshared_keys_live_while_they_are_named(void **state)
{
	_cleanup_(keyring_freep) struct keyring *k = NULL, *again = NULL;
	static const uint8_t node[16] = {7};
	struct key before, after, other;
	struct keyring_info info;
	uint32_t one = 1, held;

	(void)state;
	assert_int_equal(keyring_open(dir, &k), 0);
	assert_int_equal(keyring_k_n(k, node, 1, &before), 0);
	held = keyring_psk_hold(k);
	assert_int_equal(held, 1);
	rotate(k, KEYRING_PSK, 1000, 1000);
	assert_string_equal(states_of(k, KEYRING_PSK), "1 retiring, 2 active");
	assert_int_equal(keyring_k_n(k, node, 1, &after), 0);
	assert_true(key_equal(&before, &after));
	assert_int_equal(keyring_k_n(k, node, 2, &other), 0);
	assert_false(key_equal(&before, &other));
	/* A call that is about to write a record with it, then the record itself. */
	assert_int_equal(keyring_retire_due(k, 2000, is_named, NULL, &info), ERR_NOT_FOUND);
	keyring_psk_release(k, held);
	assert_int_equal(keyring_retire_due(k, 2000, is_named, &one, &info), ERR_NOT_FOUND);
	assert_true(there("psk-1.key"));
	assert_int_equal(keyring_retire_due(k, 2000, is_named, NULL, &info), 0);
	assert_false(there("psk-1.key"));
	assert_int_equal(keyring_k_n(k, node, 1, &after), ERR_NOT_FOUND);
	assert_int_equal(keyring_open(dir, &again), 0);
	assert_string_equal(states_of(again, KEYRING_PSK), "1 retired, 2 active");
	assert_int_equal(keyring_k_n(again, node, 2, &after), 0);
	assert_true(key_equal(&other, &after));
}

static void a_lost_psk_that_comes_back_is_good_again(void **state)
{
	_cleanup_(keyring_freep) struct keyring *k = NULL, *without = NULL, *again = NULL;
	static const uint8_t node[16] = {7};
	struct key before, after;
	char aside[300];

	(void)state;
	assert_int_equal(keyring_open(dir, &k), 0);
	assert_int_equal(keyring_k_n(k, node, 1, &before), 0);
	snprintf(aside, sizeof(aside), "%s/elsewhere", dir);
	assert_int_equal(rename(file("psk-1.key"), aside), 0);
	assert_int_equal(keyring_open(dir, &without), 0);
	assert_string_equal(states_of(without, KEYRING_PSK), "1 retired, 2 active");
	assert_int_equal(rename(aside, file("psk-1.key")), 0);
	assert_int_equal(keyring_open(dir, &again), 0);
	assert_string_equal(states_of(again, KEYRING_PSK), "1 retiring, 2 active");
	assert_int_equal(keyring_k_n(again, node, 1, &after), 0);
	assert_true(key_equal(&before, &after));
}

/* Of each tenant another secret; while its root key is to sign or signs, and no longer. */
static void secrets_of_cas_derive(void **state)
{
	_cleanup_(keyring_freep) struct keyring *k = NULL, *again = NULL;
	static const uint8_t tenant[16] = {7}, other[16] = {8};
	uint8_t one[KEYRING_CA_LEN], two[KEYRING_CA_LEN];
	char first[KEYRING_KID_ROOM];

	(void)state;
	assert_int_equal(keyring_open(dir, &k), 0);
	memcpy(first, active(k, KEYRING_CA).kid, sizeof(first));
	assert_int_equal(keyring_ca_secret(k, first, tenant, one), 0);
	assert_memory_not_equal(one, one + KEYRING_CA_LEN / 2, KEYRING_CA_LEN / 2);
	assert_int_equal(keyring_ca_secret(k, first, other, two), 0);
	assert_memory_not_equal(one, two, sizeof(one));
	assert_int_equal(keyring_open(dir, &again), 0);
	assert_int_equal(keyring_ca_secret(again, first, tenant, two), 0);
	assert_memory_equal(one, two, sizeof(one));
	assert_int_equal(keyring_ca_secret(k, active(k, KEYRING_LISTS).kid, tenant, two),
			 ERR_NOT_FOUND);
	rotate(k, KEYRING_CA, 1000, 9000);
	assert_string_equal(states_of(k, KEYRING_CA), "1 retiring, 2 active");
	assert_int_equal(keyring_ca_secret(k, first, tenant, two), ERR_NOT_FOUND);
	assert_int_equal(keyring_ca_secret(k, active(k, KEYRING_CA).kid, tenant, two), 0);
	assert_memory_not_equal(one, two, sizeof(one));
	assert_false(there("ca.key"));
	assert_true(there("ca-2.key"));
}

/* Retired as soon as the next one signs, and known for ever. */
static void heads_of_audits_are_checked_years_later(void **state)
{
	_cleanup_(keyring_freep) struct keyring *k = NULL, *again = NULL;
	char first[KEYRING_KID_ROOM], kid[KEYRING_KID_ROOM];
	struct keyring_info info;
	uint8_t sig[SIGN_LEN];

	(void)state;
	assert_int_equal(keyring_open(dir, &k), 0);
	keyring_sign(k, KEYRING_AUDIT, "head", 4, sig, first);
	for (int64_t year = 1; year <= 20; year++) {
		rotate(k, KEYRING_AUDIT, year, year);
		rotate(k, KEYRING_LISTS, year, year);
	}
	keyring_sign(k, KEYRING_AUDIT, "head", 4, sig, kid);
	assert_string_equal(kid, active(k, KEYRING_AUDIT).kid);
	assert_string_not_equal(first, kid);
	assert_int_equal(keyring_open(dir, &again), 0);
	assert_int_equal(keyring_find(again, KEYRING_AUDIT, kid, &info), 0);
	assert_true(sign_verify(info.public, "head", 4, sig));
	assert_int_equal(keyring_find(again, KEYRING_AUDIT, first, &info), 0);
	assert_int_equal(info.state, KEYRING_RETIRED);
	assert_int_equal(info.retired_ms, 1);
	assert_false(info.cut);
	/* Of the others only the last ones are kept, so the file does not grow. */
	assert_null(strstr(states_of(again, KEYRING_LISTS), "10 retired"));
	assert_non_null(strstr(states_of(again, KEYRING_LISTS), "20 retired, 21 active"));
}

static void there_is_an_end_to_live_keys(void **state)
{
	_cleanup_(keyring_freep) struct keyring *k = NULL;

	(void)state;
	assert_int_equal(keyring_open(dir, &k), 0);
	for (int i = 1; i < KEYRING_MAX_LIVE; i++)
		rotate(k, KEYRING_AGENTS, 1000, 2000);
	assert_int_equal(keyring_prepare(k, KEYRING_AGENTS, 1000, false), -EMFILE);
	assert_int_equal(keyring_switch(k, KEYRING_AGENTS, 1000, 2000, false), ERR_NOT_FOUND);
	assert_int_equal(keyring_prepare(k, KEYRING_AGENTS, 1000, true), 0);
	assert_int_equal(keyring_switch(k, KEYRING_AGENTS, 1000, 0, true), 0);
	assert_string_equal(states_of(k, KEYRING_AGENTS),
			    "1 retired, 2 retired, 3 retired, 4 retired, 5 active");
	for (int i = 1; i < KEYRING_MAX_LIVE_PSK; i++)
		rotate(k, KEYRING_PSK, 1000, 1000);
	assert_int_equal(keyring_prepare(k, KEYRING_PSK, 1000, false), -EMFILE);
}

/* The listener's key: certificate and key in one file, ca.pem follows the switch. */
static void the_listener_gets_another_key(void **state)
{
	_cleanup_(keyring_freep) struct keyring *k = NULL, *again = NULL;
	char cert[4096], key[4096], ca[300];
	struct keyring_info was, now;
	uint8_t pin[32];

	(void)state;
	snprintf(ca, sizeof(ca), "%s/ca.pem", dir);
	assert_int_equal(keyring_open(dir, &k), 0);
	was = active(k, KEYRING_TLS);
	assert_int_equal(cert_pin(ca, pin), 0);
	assert_memory_equal(was.public, pin, sizeof(pin));
	assert_int_equal(keyring_prepare(k, KEYRING_TLS, 1000, false), 0);
	keyring_cert_file(k, cert);
	assert_string_equal(cert, ca);
	assert_int_equal(keyring_switch(k, KEYRING_TLS, 2000, 0, false), 0);
	now = active(k, KEYRING_TLS);
	assert_memory_not_equal(was.public, now.public, sizeof(pin));
	assert_int_equal(cert_pin(ca, pin), 0);
	assert_memory_equal(now.public, pin, sizeof(pin));
	assert_false(there("tls.key"));
	/* A kill before ca.pem was there: the next start mends it. */
	assert_int_equal(unlink(ca), 0);
	assert_int_equal(keyring_open(dir, &again), 0);
	keyring_cert_file(again, cert);
	keyring_key_file(again, key);
	assert_string_equal(key, file("tls-2.key"));
	assert_int_equal(cert_pin(cert, pin), 0);
	assert_memory_equal(now.public, pin, sizeof(pin));
	assert_int_equal(cert_pin(ca, pin), 0);
	assert_memory_equal(now.public, pin, sizeof(pin));
	assert_int_equal(chmod(key, 0640), 0);
	keyring_free(TAKE(again));
	assert_int_equal(keyring_open(dir, &again), -EPERM);
}

/* Killed after a private half was written and before the ring named it, or after the switch. */
static void leftovers_of_a_kill_do_no_harm(void **state)
{
	_cleanup_(keyring_freep) struct keyring *k = NULL, *again = NULL, *third = NULL;
	char command[600], kid[KEYRING_KID_ROOM];

	(void)state;
	assert_int_equal(keyring_open(dir, &k), 0);
	strcpy(kid, active(k, KEYRING_LISTS).kid);
	snprintf(command, sizeof(command),
		 "cd %s/keys && cp -p lists.key lists-2.key && cp -p psk-1.key psk-2.key && "
		 "cp -p ring ring.new && cp -p psk-1.key notes.key && cp -p lists.key aside",
		 dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(keyring_open(dir, &again), 0);
	assert_string_equal(states_of(again, KEYRING_LISTS), "1 active");
	assert_string_equal(states_of(again, KEYRING_PSK), "1 active, 2 retiring");
	rotate(again, KEYRING_LISTS, 1000, 2000);
	assert_string_equal(states_of(again, KEYRING_LISTS), "1 retiring, 2 active");
	assert_string_not_equal(active(again, KEYRING_LISTS).kid, kid);
	/* The file of one that signs no more, back from nowhere: it goes. */
	snprintf(command, sizeof(command), "cd %s/keys && cp -p aside lists.key", dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(keyring_open(dir, &third), 0);
	assert_string_equal(active(third, KEYRING_LISTS).kid, active(again, KEYRING_LISTS).kid);
	assert_false(there("lists.key"));
}

static void a_ring_that_is_none_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"qmesh-ring/2\n",
		"qmesh-ring/1\nsessions 1\n",
		"qmesh-ring/1\nsessions 0 active\n",
		"qmesh-ring/1\nthings 1 active\n",
		"qmesh-ring/1\nsessions 1 gone\n",
		"qmesh-ring/1\nsessions 1 active kid=ab\n",
		"qmesh-ring/1\nsessions 1 active public=ab\n",
		"qmesh-ring/1\nsessions 1 active made=-1\n",
		"qmesh-ring/1\nsessions 1 active\nsessions 1 retired\n",
	};
	struct keyring *k = NULL;
	FILE *f;

	(void)state;
	assert_int_equal(keyring_open(dir, &k), 0);
	keyring_free(TAKE(k));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		f = fopen(file("ring"), "w");
		fputs(texts[i], f);
		fclose(f);
		assert_int_equal(keyring_open(dir, &k), -EBADMSG);
	}
	/* Words of a later program are passed over. */
	f = fopen(file("ring"), "w");
	fputs("qmesh-ring/1\nsessions 1 active made=5 colour=blue shiny\n", f);
	fclose(f);
	assert_int_equal(keyring_open(dir, &k), 0);
	assert_int_equal(active(k, KEYRING_SESSIONS).made_ms, 5);
	keyring_free(k);
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
	assert_false(keyring_is_agent(token));
	/* An agent token must say so in its audience too. */
	agent = keyring_agent_token(k, &c);
	assert_true(keyring_is_agent(agent));
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
		cmocka_unit_test_setup_teardown(a_directory_from_before_goes_on, fresh, clear),
		cmocka_unit_test_setup_teardown(a_rotated_key_lets_its_tokens_end, fresh, clear),
		cmocka_unit_test_setup_teardown(a_key_that_is_taken_away_ends_those_before_it_too,
						fresh, clear),
		cmocka_unit_test_setup_teardown(a_cut_ends_all_of_its_purpose, fresh, clear),
		cmocka_unit_test_setup_teardown(preshared_keys_live_while_they_are_named, fresh,
						clear),
		cmocka_unit_test_setup_teardown(a_lost_psk_that_comes_back_is_good_again, fresh,
						clear),
		cmocka_unit_test_setup_teardown(secrets_of_cas_derive, fresh, clear),
		cmocka_unit_test_setup_teardown(heads_of_audits_are_checked_years_later, fresh,
						clear),
		cmocka_unit_test_setup_teardown(there_is_an_end_to_live_keys, fresh, clear),
		cmocka_unit_test_setup_teardown(the_listener_gets_another_key, fresh, clear),
		cmocka_unit_test_setup_teardown(leftovers_of_a_kill_do_no_harm, fresh, clear),
		cmocka_unit_test_setup_teardown(a_ring_that_is_none_is_refused, fresh, clear),
		cmocka_unit_test_setup_teardown(tokens_of_one_kind_only, fresh, clear),
		cmocka_unit_test_setup_teardown(anothers_tokens_are_nothing, fresh, clear),
		cmocka_unit_test_setup_teardown(wide_short_or_linked_files_are_refused, fresh,
						clear),
	};

	if (sign_init())
		return 1;
	return cmocka_run_group_tests_name("keyring", tests, NULL, NULL);
}
