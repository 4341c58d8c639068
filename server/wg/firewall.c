/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules go in as JSON on nft's standard input, the whole table in one
 * transaction.
 */
#include "server/wg/firewall.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "server/wg/nft.h"

#define JSON_MAX 65536
#define USUAL_INTERFACE "wg-quazzar0"

/* The table's commands as they are written one after the other. */
struct out {
	struct text text;
	char table[FIREWALL_TABLE_LEN];
};

const char *firewall_table(const char *interface, char ret[FIREWALL_TABLE_LEN])
{
	bool is_usual = strcmp(interface, USUAL_INTERFACE) == 0;

	snprintf(ret, FIREWALL_TABLE_LEN, "qmesh%s%s", is_usual ? "" : "-",
		 is_usual ? "" : interface);
	return ret;
}

static void add_match_name(struct out *o, const char *key, const char *interface)
{
	text_addf(
		&o->text,
		"{\"match\":{\"op\":\"==\",\"left\":{\"meta\":{\"key\":\"%s\"}},\"right\":\"%s\"}},",
		key, interface);
}

static void add_match_range(struct out *o, const char *field, const struct cidr *range)
{
	char addr[CIDR_TEXT_LEN + 1];

	text_addf(&o->text,
		  "{\"match\":{\"op\":\"==\",\"left\":{\"payload\":{\"protocol\":\"%s\",\"field\":"
		  "\"%s\"}},\"right\":{\"prefix\":{\"addr\":\"%s\",\"len\":%u}}}},",
		  range->family == CIDR_V4 ? "ip" : "ip6", field, cidr_addr_text(range, addr),
		  range->bits);
}

static void open_rule(struct out *o, const char *chain)
{
	text_addf(&o->text,
		  ",{\"add\":{\"rule\":{\"family\":\"inet\",\"table\":\"%s\","
		  "\"chain\":\"%s\",\"expr\":[",
		  o->table, chain);
}

static void close_rule(struct out *o, const char *verdict)
{
	text_addf(&o->text, "{\"%s\":null}]}}}", verdict);
}

static void add_chain(struct out *o, const char *hook)
{
	text_addf(&o->text,
		  ",{\"add\":{\"chain\":{\"family\":\"inet\",\"table\":\"%s\",\"name\":\"%s\","
		  "\"type\":\"filter\",\"hook\":\"%s\",\"prio\":0,\"policy\":\"accept\"}}}",
		  o->table, hook, hook);
}

static void add_forward(struct out *o, const struct firewall_rules *f)
{
	const struct cidr *ranges[] = {&f->range4, &f->range6};

	add_chain(o, "forward");
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		if (!ranges[i]->family)
			continue;
		open_rule(o, "forward");
		add_match_name(o, "iifname", f->interface);
		add_match_name(o, "oifname", f->interface);
		add_match_range(o, "saddr", ranges[i]);
		add_match_range(o, "daddr", ranges[i]);
		close_rule(o, "accept");
	}
	open_rule(o, "forward");
	add_match_name(o, "iifname", f->interface);
	close_rule(o, "drop");
	open_rule(o, "forward");
	add_match_name(o, "oifname", f->interface);
	close_rule(o, "drop");
}

/* A hub would tell each sender of a forwarded packet that there is a shorter way. */
static void add_output(struct out *o, const struct firewall_rules *f)
{
	static const char *const types[][2] = {{"icmp", "redirect"}, {"icmpv6", "nd-redirect"}};

	add_chain(o, "output");
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		open_rule(o, "output");
		add_match_name(o, "oifname", f->interface);
		text_addf(&o->text,
			  "{\"match\":{\"op\":\"==\",\"left\":{\"payload\":{\"protocol\":\"%s\","
			  "\"field\":\"type\"}},\"right\":\"%s\"}},",
			  types[i][0], types[i][1]);
		close_rule(o, "drop");
	}
}

static void add_port(struct out *o, const char *interface, const char *protocol, unsigned port)
{
	open_rule(o, "input");
	add_match_name(o, "iifname", interface);
	text_addf(&o->text,
		  "{\"match\":{\"op\":\"==\",\"left\":{\"payload\":{\"protocol\":\"%s\",\"field\":"
		  "\"dport\"}},\"right\":%u}},",
		  protocol, port);
	close_rule(o, "accept");
}

static void add_input(struct out *o, const struct firewall_rules *f)
{
	if (!f->mesh_input_only)
		return;
	add_chain(o, "input");
	open_rule(o, "input");
	add_match_name(o, "iifname", f->interface);
	text_adds(&o->text,
		  "{\"match\":{\"op\":\"in\",\"left\":{\"ct\":{\"key\":\"state\"}},\"right\":"
		  "[\"established\",\"related\"]}},");
	close_rule(o, "accept");
	open_rule(o, "input");
	add_match_name(o, "iifname", f->interface);
	text_adds(&o->text, "{\"match\":{\"op\":\"==\",\"left\":{\"meta\":{\"key\":\"l4proto\"}},"
			    "\"right\":{\"set\":[\"icmp\",\"ipv6-icmp\"]}}},");
	close_rule(o, "accept");
	if (f->mesh_port)
		add_port(o, f->interface, "tcp", f->mesh_port);
	add_port(o, f->interface, "tcp", 53);
	add_port(o, f->interface, "udp", 53);
	open_rule(o, "input");
	add_match_name(o, "iifname", f->interface);
	close_rule(o, "drop");
}

static void add_table(struct out *o, const char *before, const char *command)
{
	text_addf(&o->text, "%s{\"%s\":{\"table\":{\"family\":\"inet\",\"name\":\"%s\"}}}", before,
		  command, o->table);
}

/* Add, then delete: a delete of a table that is not there would be an error. */
static void start(struct out *o, const char *interface)
{
	firewall_table(interface, o->table);
	add_table(o, "{\"nftables\":[", "add");
	add_table(o, ",", "delete");
}

static int finish(struct out *o)
{
	text_adds(&o->text, "]}");
	return o->text.failed ? err_origin(-ENOMEM) : nft_json(o->text.s);
}

static void out_done(struct out *o)
{
	text_done(&o->text);
}

int firewall_apply(const struct firewall_rules *rules)
{
	_cleanup_(out_done) struct out o = {.text = TEXT_INIT(JSON_MAX)};

	start(&o, rules->interface);
	add_table(&o, ",", "add");
	add_forward(&o, rules);
	add_output(&o, rules);
	add_input(&o, rules);
	return finish(&o);
}

int firewall_remove(const char *interface)
{
	_cleanup_(out_done) struct out o = {.text = TEXT_INIT(JSON_MAX)};
	int r;

	start(&o, interface);
	r = finish(&o);
	return r == -ENOENT ? 0 : r;
}
