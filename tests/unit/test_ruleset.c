/* SPDX-License-Identifier: Apache-2.0 */
/* ruleset.c, nftrule.c: which foreign chain drops what, on texts as nft prints them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/wg/ruleset.h"

#define WG "wg-quazzar0"
#define MARK "qmesh " WG

static const char docker[] =
	"# Warning: table ip filter is managed by iptables-nft, do not touch!\n"
	"table ip filter { # handle 1\n"
	"\tset names { # handle 9\n"
	"\t\ttype ipv4_addr\n"
	"\t\telements = { 192.0.2.1, 192.0.2.2,\n"
	"\t\t\t     192.0.2.3 }\n"
	"\t}\n\n"
	"\tchain DOCKER { # handle 2\n\t}\n\n"
	"\tchain DOCKER-USER { # handle 3\n"
	"\t\tcounter packets 0 bytes 0 return # handle 6\n"
	"\t}\n\n"
	"\tchain FORWARD { # handle 4\n"
	"\t\ttype filter hook forward priority filter; policy drop;\n"
	"\t\tcounter packets 3 bytes 252 jump DOCKER-USER # handle 8\n"
	"\t\tct state vmap { invalid : drop, established : accept } # handle 11\n"
	"\t\toifname \"docker0\" ct state established,related counter packets 0 bytes 0 accept\n"
	"\t\toifname \"docker0\" counter packets 0 bytes 0 jump DOCKER # handle 12\n"
	"\t}\n}\n";

static struct ruleset_packet forward(void)
{
	struct ruleset_packet p = {.hook = "forward",
				   .family = CIDR_V4,
				   .iif = WG,
				   .oif = WG,
				   .not_iif = WG,
				   .protocol = "tcp"};

	assert_int_equal(cidr_parse("10.77.0.0/16", &p.range), 0);
	return p;
}

static struct ruleset_packet handshake(void)
{
	return (struct ruleset_packet){.hook = "input",
				       .family = CIDR_V4,
				       .not_iif = WG,
				       .protocol = "udp",
				       .port = 51820};
}

/* "" or "chain in table, at place". */
static const char *dropped_by(const char *text, const struct ruleset_packet *p)
{
	static char words[300];
	struct ruleset_block b;
	struct ruleset *rs;
	size_t at = 0;

	assert_int_equal(ruleset_parse(text, &rs), 0);
	words[0] = '\0';
	if (ruleset_drops(rs, p, "inet qmesh", MARK, &at, &b))
		snprintf(words, sizeof(words), "%s in %s, at %s", b.chain, b.table, b.place);
	ruleset_free(rs);
	return words;
}

/* A chain of one hook with these rules. */
static const char *chain(const char *hook, const char *policy, const char *rules)
{
	static char text[2048];

	snprintf(text, sizeof(text),
		 "table inet fw {\n\tchain c {\n\t\ttype filter hook %s priority filter; policy "
		 "%s;\n\t\t%s\n\t}\n}\n",
		 hook, policy, rules);
	return text;
}

static void test_docker(void **state)
{
	struct ruleset_packet p = forward(), p6 = forward(), in = handshake();

	(void)state;
	p6.family = CIDR_V6;
	assert_string_equal(dropped_by("", &p), "");
	assert_string_equal(dropped_by(docker, &p), "FORWARD in ip filter, at DOCKER-USER");
	assert_string_equal(dropped_by(docker, &p6), "");
	assert_string_equal(dropped_by(docker, &in), "");
}

static void test_forward(void **state)
{
	static const struct {
		const char *policy, *rules;
		bool drops;
	} cases[] = {
		{"accept", "", false},
		{"drop", "", true},
		{"drop", "iifname \"" WG "\" oifname \"" WG "\" accept", false},
		{"drop", "iifname \"" WG "\" oifname \"eth0\" accept", true},
		{"drop", "iifname \"wg*\" counter packets 1 bytes 2 accept # handle 3", false},
		{"drop", "iifname != \"eth0\" accept", false},
		{"drop", "iifname { \"eth0\", \"" WG "\" } accept", false},
		{"drop", "ct state established,related accept", true},
		{"drop", "ct state new,established accept", false},
		{"drop", "ct state != invalid accept", false},
		{"drop", "ip saddr 10.0.0.0/8 accept", false},
		{"drop", "ip saddr 10.77.1.0/24 accept", true},
		{"drop", "meta nfproto ipv6 accept", true},
		{"drop", "tcp dport 22 accept", true},
		{"drop", "meta mark 0x00000001 accept", true},
		{"drop", "log prefix \"fw drop \" level info comment \"a } b\" accept", false},
		{"accept", "reject with icmpx admin-prohibited", true},
		{"accept", "ip daddr 10.0.0.0/8 drop", true},
		{"accept", "ip daddr 192.168.0.0/16 drop", false},
		{"accept", "meta mark 0x00000001 drop", false},
		{"accept", "ip6 saddr ::/0 drop", false},
		{"accept", "oifname \"" WG "\" return\n\t\tdrop", false},
	};
	struct ruleset_packet p = forward();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (cases[i].drops !=
		    !!*dropped_by(chain("forward", cases[i].policy, cases[i].rules), &p))
			fail_msg("policy %s, %s", cases[i].policy, cases[i].rules);
}

/* Where it comes in is not known: guessed for an accept, never for a drop. */
static void test_input(void **state)
{
	static const struct {
		const char *policy, *rules;
		bool drops;
	} cases[] = {
		{"drop", "iif \"lo\" accept\n\t\tct state established,related accept", true},
		{"drop", "udp dport 51820 accept", false},
		{"drop", "udp dport { 53, 51000-52000 } accept", false},
		{"drop", "tcp dport 51820 accept", true},
		{"drop", "iifname \"eth0\" udp dport 51820 accept", false},
		{"drop", "iifname \"" WG "\" accept", true},
		{"drop", "ip saddr 192.0.2.0/24 accept", true},
		{"accept", "iifname \"eth1\" drop", false},
		{"accept", "udp dport 1-65535 drop", true},
		{"drop", "meta l4proto { icmp, udp } accept", false},
		{"drop", "udp dport vmap { 51820 : accept }", true},
	};
	struct ruleset_packet p = handshake();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (cases[i].drops !=
		    !!*dropped_by(chain("input", cases[i].policy, cases[i].rules), &p))
			fail_msg("policy %s, %s", cases[i].policy, cases[i].rules);
}

static void test_tables(void **state)
{
	static const char ours[] = "table inet qmesh {\n\tchain forward {\n\t\ttype filter hook "
				   "forward priority filter; policy drop;\n\t}\n}\n";
	static const char asleep[] =
		"table ip x {\n\tflags dormant\n\n\tchain c {\n\t\ttype filter "
		"hook forward priority filter; policy drop;\n\t}\n}\n";
	static const char loop[] =
		"table ip x {\n\tchain a {\n\t\tjump a\n\t}\n\tchain c {\n\t\ttype "
		"filter hook forward priority 0; policy accept;\n\t\tjump a\n"
		"\t\tjump a\n\t}\n}\n";
	struct ruleset_packet p = forward();
	struct ruleset *rs;

	(void)state;
	assert_string_equal(dropped_by(ours, &p), "");
	assert_string_equal(dropped_by(asleep, &p), "");
	assert_string_equal(dropped_by(loop, &p), "");
	assert_int_equal(ruleset_parse(ours, &rs), 0);
	assert_true(ruleset_has_table(rs, "inet qmesh"));
	assert_false(ruleset_has_table(rs, "ip qmesh"));
	ruleset_free(rs);
}

/* One table by itself, whichever drops first. */
static void test_table(void **state)
{
	static const char text[] =
		"table ip filter {\n\tchain FORWARD {\n"
		"\t\ttype filter hook forward priority filter; policy drop;\n\t}\n}\n"
		"table inet qmesh {\n\tchain forward {\n"
		"\t\ttype filter hook forward priority filter; policy accept;\n"
		"\t\tiifname \"" WG "\" drop # handle 3\n\t}\n}\n";
	struct ruleset_packet p = forward();
	struct ruleset *rs;

	(void)state;
	assert_int_equal(ruleset_parse(text, &rs), 0);
	assert_true(ruleset_table_drops(rs, &p, "ip filter"));
	assert_true(ruleset_table_drops(rs, &p, "inet qmesh"));
	p.iif = "eth0";
	assert_true(ruleset_table_drops(rs, &p, "ip filter"));
	assert_false(ruleset_table_drops(rs, &p, "inet qmesh"));
	assert_false(ruleset_table_drops(rs, &p, "inet nobody"));
	ruleset_free(rs);
}

/* Ours are found by their comment, and a chain that has one is not taken again. */
static void test_marks(void **state)
{
	static const char text[] =
		"table ip filter {\n\tchain X-USER {\n"
		"\t\tiifname \"" WG "\" accept comment \"" MARK "\" # handle 21\n\t}\n"
		"\tchain FORWARD {\n\t\ttype filter hook forward priority filter; policy drop;\n"
		"\t\tdrop comment \"" MARK "0\" # handle 22\n"
		"\t\tjump X-USER # handle 23\n\t}\n}\n";
	struct ruleset_packet p = forward();
	struct ruleset_mark mark;
	struct ruleset *rs;
	size_t at = 0;

	(void)state;
	assert_string_equal(dropped_by(text, &p), "FORWARD in ip filter, at FORWARD");
	assert_int_equal(ruleset_parse(text, &rs), 0);
	assert_true(ruleset_marked(rs, MARK, &at, &mark));
	assert_string_equal(mark.table, "ip filter");
	assert_string_equal(mark.chain, "X-USER");
	assert_int_equal(mark.handle, 21);
	assert_false(ruleset_marked(rs, MARK, &at, &mark));
	ruleset_free(rs);
}

/* Nothing that nft, or a broken pipe to it, could print does harm. */
static void test_torn(void **state)
{
	struct ruleset_packet p = forward();
	char text[sizeof(docker)];
	struct ruleset *rs;
	struct ruleset_block b;

	(void)state;
	for (size_t len = 0; len < sizeof(docker); len++) {
		memcpy(text, docker, len);
		text[len] = '\0';
		assert_int_equal(ruleset_parse(text, &rs), 0);
		size_t at = 0;

		(void)ruleset_drops(rs, &p, "", MARK, &at, &b);
		ruleset_free(rs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_docker), cmocka_unit_test(test_forward),
		cmocka_unit_test(test_input),  cmocka_unit_test(test_tables),
		cmocka_unit_test(test_table),  cmocka_unit_test(test_marks),
		cmocka_unit_test(test_torn),
	};

	return cmocka_run_group_tests_name("ruleset", tests, NULL, NULL);
}
