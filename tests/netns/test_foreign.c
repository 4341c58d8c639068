/* SPDX-License-Identifier: Apache-2.0 */
/*
 * firewall.c and foreign.c on the real nft, in a network namespace of the test's own: what a
 * node puts there, what is another node's beside it, and what others do meanwhile.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/text.h"
#include "server/wg/firewall.h"
#include "server/wg/foreign.h"
#include "server/wg/nft.h"
#include "server/wg/nftgen.h"
#include "server/wg/spawn.h"

#define SKIPPED 77

static void nft(const char *commands)
{
	_cleanup_(text_done) struct text said = TEXT_INIT(4096);

	if (nft_batch(commands, &said))
		fail_msg("%s", said.s);
}

static struct text list(const char *arguments)
{
	char *argv[] = {(char *)"nft", (char *)"-s", (char *)"list", (char *)arguments, NULL};
	struct text out = TEXT_INIT(65536);

	assert_int_equal(spawn_run(argv, NULL, &out), 0);
	text_adds(&out, "");
	return out;
}

static bool has(const char *words)
{
	struct text out = list("ruleset");
	bool found = out.s && strstr(out.s, words);

	text_done(&out);
	return found;
}

static struct firewall_rules rules_of(const char *interface, const char *range)
{
	struct firewall_rules rules = {.interface = interface};

	assert_int_equal(cidr_parse(range, &rules.range4), 0);
	return rules;
}

static struct foreign_wish wish_of(const char *interface, const char *range, bool integrate)
{
	struct foreign_wish wish = {
		.interface = interface, .wg_port = 51820, .integrate = integrate};

	assert_int_equal(cidr_parse(range, &wish.range4), 0);
	return wish;
}

static int empty(void **state)
{
	(void)state;
	nft("flush ruleset\n");
	return 0;
}

static void two_nodes_have_a_table_each(void **state)
{
	struct firewall_rules usual = rules_of("wg-quazzar0", "10.64.0.0/16");
	struct firewall_rules other = rules_of("wg-b", "10.65.0.0/16");
	struct foreign_wish wish = wish_of("wg-b", "10.65.0.0/16", false);
	struct foreign_look look;

	(void)state;
	assert_int_equal(firewall_apply(&usual), 0);
	assert_int_equal(foreign_look(&wish, &look), 0);
	assert_false(look.is_table_there);
	other.mesh_input_only = true;
	assert_int_equal(firewall_apply(&other), 0);
	assert_true(has("table inet qmesh {"));
	assert_true(has("table inet qmesh-wg-b {"));
	assert_true(has("10.64.0.0/16") && has("10.65.0.0/16"));
	assert_int_equal(foreign_look(&wish, &look), 0);
	assert_true(look.is_table_there);
	assert_string_equal(look.blocked, "");

	/* Neither end of one takes the other's. */
	assert_int_equal(foreign_clear("wg-c"), 0);
	assert_int_equal(firewall_remove("wg-b"), 0);
	assert_true(has("10.64.0.0/16") && !has("10.65.0.0/16"));
	assert_int_equal(firewall_apply(&other), 0);
	assert_int_equal(foreign_clear("wg-quazzar0"), 0);
	assert_true(!has("10.64.0.0/16") && has("10.65.0.0/16"));
	assert_int_equal(foreign_clear("wg-b"), 0);
	assert_false(has("qmesh"));
	assert_int_equal(firewall_remove("wg-b"), 0);
}

/* With accepts of ours in both chains; the owner's rule has no comment. */
static const char marked[] = "table ip fw {\n"
			     "chain a { type filter hook input priority 0; policy drop;\n"
			     "udp dport 51820 accept comment \"qmesh wg-b\"\n"
			     "tcp dport 22 accept\n}\n"
			     "chain b { tcp dport 53 accept comment \"qmesh wg-b\"; }\n}\n";
/* The same handles, other rules. */
static const char replaced[] = "table ip fw {\n"
			       "chain a { type filter hook input priority 0; policy drop;\n"
			       "tcp dport 2222 accept\n"
			       "udp dport 51820 accept comment \"qmesh wg-b\"\n}\n"
			       "chain b { tcp dport 5353 accept; }\n}\n";

/*
 * A program nft that is the real one, and after it has listed the rules somebody else replaces
 * them, once.
 */
static void put_rival(const char *dir)
{
	char path[128], file[128];
	FILE *f;

	snprintf(file, sizeof(file), "%s/replaced", dir);
	f = fopen(file, "w");
	assert_non_null(f);
	fprintf(f, "delete table ip fw\n%s", replaced);
	assert_int_equal(fclose(f), 0);
	snprintf(path, sizeof(path), "%s/nft", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f,
		"#!/bin/sh\nPATH=${PATH#*:}\nnft \"$@\" || exit\ncase $* in *ruleset)\n"
		"if mv %s/replaced %s/once 2>/dev/null; then nft -f %s/once; fi;;\nesac\n",
		dir, dir, dir);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0755), 0);
}

static void a_handle_that_is_anothers_by_now_is_left(void **state)
{
	char dir[] = "/tmp/qmesh-foreign.XXXXXX", path[512], old[400];
	static const char *const files[] = {"nft", "once", "replaced"};

	(void)state;
	nft(marked);
	assert_non_null(mkdtemp(dir));
	put_rival(dir);
	snprintf(old, sizeof(old), "%s", getenv("PATH"));
	snprintf(path, sizeof(path), "%s:%s", dir, old);
	setenv("PATH", path, 1);
	assert_int_equal(foreign_clear("wg-b"), 0);
	setenv("PATH", old, 1);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
	rmdir(dir);
	assert_true(has("tcp dport 2222 accept") && has("tcp dport 5353 accept"));
	assert_false(has("qmesh"));
}

static void accepts_of_ours_leave_and_no_other_rule(void **state)
{
	_cleanup_(text_done) struct text many = TEXT_INIT(65536);

	(void)state;
	nft(marked);
	/* More than go in one message. */
	text_adds(&many, "table inet more {\nchain c {\n");
	for (unsigned i = 0; i < 2 * NFTGEN_RULES_MAX; i++)
		text_addf(&many, "tcp dport %u accept comment \"qmesh wg-%s\"\n", 1000 + i,
			  i % 4 ? "b" : "c");
	text_adds(&many, "}\n}\n");
	nft(many.s);
	assert_int_equal(foreign_clear("wg-b"), 0);
	assert_false(has("qmesh wg-b"));
	assert_true(has("tcp dport 22 accept") && has("qmesh wg-c"));
	assert_int_equal(foreign_clear("wg-c"), 0);
	assert_false(has("qmesh"));
}

static void a_generation_that_is_over_is_told(void **state)
{
	struct ruleset_mark found[2] = {{.handle = 0}};
	_cleanup_(ruleset_freep) struct ruleset *rules = NULL;
	uint32_t before, after;
	size_t at = 0;

	(void)state;
	nft(marked);
	assert_int_equal(nftgen_read(&before), 0);
	assert_int_equal(nft_rules(&rules), 0);
	assert_true(ruleset_marked(rules, "qmesh wg-b", &at, &found[0]));
	nft("add table ip other\n");
	assert_int_equal(nftgen_delete(before, found, 1), -EAGAIN);
	assert_int_equal(nftgen_read(&after), 0);
	assert_int_not_equal(before, after);
	assert_true(has("dport 51820"));
	/* All or none. */
	found[1] = found[0];
	found[1].handle = 99;
	assert_int_equal(nftgen_delete(after, found, 2), -ENOENT);
	assert_true(has("dport 51820"));
	assert_int_equal(nftgen_delete(after, found, 1), 0);
	assert_false(has("dport 51820"));
}

/* What others have that drops all, one chain with a name that nft takes for a verdict. */
static const char droppers[] =
	"{\"nftables\":[{\"add\":{\"table\":{\"family\":\"ip\",\"name\":\"odd\"}}},"
	"{\"add\":{\"chain\":{\"family\":\"ip\",\"table\":\"odd\",\"name\":\"drop\",\"type\":"
	"\"filter\",\"hook\":\"forward\",\"prio\":0,\"policy\":\"drop\"}}},"
	"{\"add\":{\"table\":{\"family\":\"ip\",\"name\":\"plain\"}}},"
	"{\"add\":{\"chain\":{\"family\":\"ip\",\"table\":\"plain\",\"name\":\"onward\",\"type\":"
	"\"filter\",\"hook\":\"forward\",\"prio\":0,\"policy\":\"drop\"}}},"
	"{\"add\":{\"chain\":{\"family\":\"ip\",\"table\":\"plain\",\"name\":\"in\",\"type\":"
	"\"filter\",\"hook\":\"input\",\"prio\":0,\"policy\":\"drop\"}}}]}";

static void one_that_is_refused_keeps_no_other_out(void **state)
{
	struct foreign_wish wish = wish_of("wg-b", "10.65.0.0/16", true);
	struct foreign_look look = {.refused = ""};

	(void)state;
	assert_int_equal(nft_json(droppers), 0);
	assert_int_equal(foreign_look(&wish, &look), 0);
	assert_true(has("udp dport 51820 counter accept comment \"qmesh wg-b\""));
	assert_true(has("oifname \"wg-b\" counter accept comment \"qmesh wg-b\""));
	assert_non_null(
		strstr(look.refused, "not integrated: insert rule ip odd drop iifname wg-b"));
	assert_non_null(strstr(look.refused, "syntax error"));
	assert_non_null(strstr(look.blocked, "blocked by chain drop in table ip odd; our accept"));
	nft("delete table ip odd\n");
	assert_int_equal(foreign_look(&wish, &look), 0);
	assert_string_equal(look.refused, "");
	assert_string_equal(look.blocked, "");
	assert_int_equal(foreign_clear("wg-b"), 0);
	assert_false(has("qmesh"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(two_nodes_have_a_table_each, empty),
		cmocka_unit_test_setup(a_handle_that_is_anothers_by_now_is_left, empty),
		cmocka_unit_test_setup(accepts_of_ours_leave_and_no_other_rule, empty),
		cmocka_unit_test_setup(a_generation_that_is_over_is_told, empty),
		cmocka_unit_test_setup(one_that_is_refused_keeps_no_other_out, empty),
	};

	_cleanup_(text_done) struct text said = TEXT_INIT(4096);

	log_set_level(LOG_LEVEL_ERROR);
	if (geteuid() != 0 || unshare(CLONE_NEWNET) || nft_batch("flush ruleset\n", &said)) {
		puts("skipped: needs root, a network namespace and nft");
		return SKIPPED;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
