/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules go in as JSON on nft's standard input; what others have is read as
 * text. An accept in our chain cannot overrule a drop in another one: that is
 * why foreign chains are looked at and named.
 */
#include "server/wg/firewall.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "server/wg/spawn.h"

#define JSON_MAX 65536
#define RULESET_MAX (4u << 20)
#define OUTPUT_MAX 4096

static void add_match_name(struct text *t, const char *key, const char *interface)
{
	text_addf(
		t,
		"{\"match\":{\"op\":\"==\",\"left\":{\"meta\":{\"key\":\"%s\"}},\"right\":\"%s\"}},",
		key, interface);
}

static void add_match_range(struct text *t, const char *field, const struct cidr *range)
{
	char addr[CIDR_TEXT_LEN + 1];

	text_addf(t,
		  "{\"match\":{\"op\":\"==\",\"left\":{\"payload\":{\"protocol\":\"%s\",\"field\":"
		  "\"%s\"}},\"right\":{\"prefix\":{\"addr\":\"%s\",\"len\":%u}}}},",
		  range->family == CIDR_V4 ? "ip" : "ip6", field, cidr_addr_text(range, addr),
		  range->bits);
}

static void open_rule(struct text *t, const char *chain)
{
	text_addf(t,
		  ",{\"add\":{\"rule\":{\"family\":\"inet\",\"table\":\"" FIREWALL_TABLE
		  "\",\"chain\":\"%s\",\"expr\":[",
		  chain);
}

static void close_rule(struct text *t, const char *verdict)
{
	text_addf(t, "{\"%s\":null}]}}}", verdict);
}

static void add_chain(struct text *t, const char *hook)
{
	text_addf(t,
		  ",{\"add\":{\"chain\":{\"family\":\"inet\",\"table\":\"" FIREWALL_TABLE
		  "\",\"name\":\"%s\",\"type\":\"filter\",\"hook\":\"%s\",\"prio\":0,"
		  "\"policy\":\"accept\"}}}",
		  hook, hook);
}

static void add_forward(struct text *t, const struct firewall_rules *f)
{
	const struct cidr *ranges[] = {&f->range4, &f->range6};

	add_chain(t, "forward");
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		if (!ranges[i]->family)
			continue;
		open_rule(t, "forward");
		add_match_name(t, "iifname", f->interface);
		add_match_name(t, "oifname", f->interface);
		add_match_range(t, "saddr", ranges[i]);
		add_match_range(t, "daddr", ranges[i]);
		close_rule(t, "accept");
	}
	open_rule(t, "forward");
	add_match_name(t, "iifname", f->interface);
	close_rule(t, "drop");
	open_rule(t, "forward");
	add_match_name(t, "oifname", f->interface);
	close_rule(t, "drop");
}

/* A hub would tell each sender of a forwarded packet that there is a shorter way. */
static void add_output(struct text *t, const struct firewall_rules *f)
{
	static const char *const types[][2] = {{"icmp", "redirect"}, {"icmpv6", "nd-redirect"}};

	add_chain(t, "output");
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		open_rule(t, "output");
		add_match_name(t, "oifname", f->interface);
		text_addf(t,
			  "{\"match\":{\"op\":\"==\",\"left\":{\"payload\":{\"protocol\":\"%s\","
			  "\"field\":\"type\"}},\"right\":\"%s\"}},",
			  types[i][0], types[i][1]);
		close_rule(t, "drop");
	}
}

static void add_port(struct text *t, const char *interface, const char *protocol, unsigned port)
{
	open_rule(t, "input");
	add_match_name(t, "iifname", interface);
	text_addf(t,
		  "{\"match\":{\"op\":\"==\",\"left\":{\"payload\":{\"protocol\":\"%s\",\"field\":"
		  "\"dport\"}},\"right\":%u}},",
		  protocol, port);
	close_rule(t, "accept");
}

static void add_input(struct text *t, const struct firewall_rules *f)
{
	if (!f->mesh_input_only)
		return;
	add_chain(t, "input");
	open_rule(t, "input");
	add_match_name(t, "iifname", f->interface);
	text_adds(t, "{\"match\":{\"op\":\"in\",\"left\":{\"ct\":{\"key\":\"state\"}},\"right\":"
		     "[\"established\",\"related\"]}},");
	close_rule(t, "accept");
	open_rule(t, "input");
	add_match_name(t, "iifname", f->interface);
	text_adds(t, "{\"match\":{\"op\":\"==\",\"left\":{\"meta\":{\"key\":\"l4proto\"}},"
		     "\"right\":{\"set\":[\"icmp\",\"ipv6-icmp\"]}}},");
	close_rule(t, "accept");
	add_port(t, f->interface, "tcp", f->mesh_port);
	add_port(t, f->interface, "tcp", 53);
	add_port(t, f->interface, "udp", 53);
	open_rule(t, "input");
	add_match_name(t, "iifname", f->interface);
	close_rule(t, "drop");
}

static int run_nft(const char *json)
{
	char *argv[] = {(char *)"nft", (char *)"-j", (char *)"-f", (char *)"-", NULL};
	_cleanup_(text_done) struct text out = TEXT_INIT(OUTPUT_MAX);
	int r;

	r = spawn_run(argv, json, &out);
	if (r < 0)
		return r;
	if (r > 0) {
		log_warn("wg", "nft ended with %d: %s", r, out.s ? out.s : "");
		return err_origin(-EIO);
	}
	return 0;
}

/* Add, then delete, then add: a delete of a table that is not there would be an error. */
static const char fresh_table[] =
	"{\"nftables\":["
	"{\"add\":{\"table\":{\"family\":\"inet\",\"name\":\"" FIREWALL_TABLE "\"}}},"
	"{\"delete\":{\"table\":{\"family\":\"inet\",\"name\":\"" FIREWALL_TABLE "\"}}}";

int firewall_apply(const struct firewall_rules *rules)
{
	_cleanup_(text_done) struct text t = TEXT_INIT(JSON_MAX);

	text_adds(&t, fresh_table);
	text_adds(&t,
		  ",{\"add\":{\"table\":{\"family\":\"inet\",\"name\":\"" FIREWALL_TABLE "\"}}}");
	add_forward(&t, rules);
	add_output(&t, rules);
	add_input(&t, rules);
	text_adds(&t, "]}");
	if (t.failed)
		return err_origin(-ENOMEM);
	return run_nft(t.s);
}

int firewall_remove(void)
{
	_cleanup_(text_done) struct text t = TEXT_INIT(JSON_MAX);
	int r;

	text_adds(&t, fresh_table);
	text_adds(&t, "]}");
	if (t.failed)
		return err_origin(-ENOMEM);
	r = run_nft(t.s);
	return r == -ENOENT ? 0 : r;
}

struct chain {
	char table[80], name[80];
	bool drops, names_us;
};

/* "table ip filter {" and "chain FORWARD {": the words before the brace. */
static bool read_opening(const char *line, const char *word, char *ret, size_t size)
{
	size_t skip = strlen(word), len = strlen(line);

	if (strncmp(line, word, skip) != 0 || len < skip + 3 || line[len - 1] != '{')
		return false;
	len -= skip + 2;
	if (len >= size)
		len = size - 1;
	memcpy(ret, line + skip, len);
	ret[len] = '\0';
	return true;
}

static void note_block(const struct chain *c, const char *interface, struct firewall_look *look)
{
	snprintf(look->blocked, sizeof(look->blocked), "blocked by chain %s in table %s", c->name,
		 c->table);
	snprintf(look->helps, sizeof(look->helps),
		 "nft insert rule %s %s iifname %s oifname %s accept", c->table, c->name, interface,
		 interface);
}

static void read_line(struct chain *c, const char *line, const char *interface,
		      struct firewall_look *look)
{
	if (read_opening(line, "table ", c->table, sizeof(c->table))) {
		look->is_ours_there |= strcmp(c->table, "inet " FIREWALL_TABLE) == 0;
	} else if (read_opening(line, "chain ", c->name, sizeof(c->name))) {
		c->drops = c->names_us = false;
	} else if (strstr(line, "hook forward") && strstr(line, "policy drop")) {
		c->drops = true;
	} else if (strstr(line, interface) && strstr(line, "accept")) {
		c->names_us = true;
	} else if (strcmp(line, "}") == 0) {
		if (c->drops && !c->names_us && !look->blocked[0] &&
		    strcmp(c->table, "inet " FIREWALL_TABLE) != 0)
			note_block(c, interface, look);
		c->drops = false;
	}
}

void firewall_read(const char *ruleset, const char *interface, struct firewall_look *ret)
{
	struct chain c = {0};
	char line[1024];

	*ret = (struct firewall_look){0};
	while (*ruleset) {
		size_t blanks = strspn(ruleset, " \t");
		size_t len = strcspn(ruleset + blanks, "\n");
		size_t kept = len < sizeof(line) ? len : sizeof(line) - 1;

		memcpy(line, ruleset + blanks, kept);
		line[kept] = '\0';
		read_line(&c, line, interface, ret);
		ruleset += blanks + len;
		ruleset += *ruleset == '\n';
	}
}

int firewall_look(const char *interface, struct firewall_look *ret)
{
	char *argv[] = {(char *)"nft", (char *)"list", (char *)"ruleset", NULL};
	_cleanup_(text_done) struct text out = TEXT_INIT(RULESET_MAX);
	int r = spawn_run(argv, NULL, &out);

	if (r < 0)
		return r;
	/* More rules than we read, or none to be seen in this container: nothing to tell. */
	if (r > 0 || out.failed)
		return -EIO;
	firewall_read(out.s ? out.s : "", interface, ret);
	return 0;
}
