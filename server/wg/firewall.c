/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules go in as JSON on nft's standard input, the whole table in one
 * transaction.
 */
#include "server/wg/firewall.h"

#include <errno.h>
#include <stdio.h>

#include "base/err.h"
#include "base/text.h"
#include "server/wg/nft.h"

#define JSON_MAX 65536

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
	if (f->mesh_port)
		add_port(t, f->interface, "tcp", f->mesh_port);
	add_port(t, f->interface, "tcp", 53);
	add_port(t, f->interface, "udp", 53);
	open_rule(t, "input");
	add_match_name(t, "iifname", f->interface);
	close_rule(t, "drop");
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
	return nft_json(t.s);
}

int firewall_remove(void)
{
	_cleanup_(text_done) struct text t = TEXT_INIT(JSON_MAX);
	int r;

	text_adds(&t, fresh_table);
	text_adds(&t, "]}");
	if (t.failed)
		return err_origin(-ENOMEM);
	r = nft_json(t.s);
	return r == -ENOENT ? 0 : r;
}
