/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An accept in our own chain cannot overrule a drop in another one: every base
 * chain of a hook has its say. So what others have is held against the packets
 * that a mesh needs, most important first.
 */
#include "server/wg/foreign.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/text.h"
#include "server/wg/firewall.h"
#include "server/wg/nft.h"
#include "server/wg/nftgen.h"
#include "server/wg/ruleset.h"

#define OWN_TABLE_LEN (FIREWALL_TABLE_LEN + 5)
#define MARK_LEN 40
#define MATCH_LEN 120
#define LINE_LEN 512
#define MAX_NEEDS 8
/* An accept in DOCKER-USER may not be enough: then one in the chain itself. */
#define MAX_ROUNDS 4
#define BATCH_MAX 65536
#define SAID_MAX 4096
/* Somebody who writes rules all the time is waited for no longer. */
#define MAX_LOOKS 16

/* A packet that must come through, and the match of an accept for it. */
struct need {
	struct ruleset_packet packet;
	const char *what; /* "" or what is blocked */
	char match[MATCH_LEN];
};

struct needs {
	struct need rows[MAX_NEEDS];
	size_t n;
};

/* How our own is known: the table with its family, and the comment of accepts elsewhere. */
struct own {
	char table[OWN_TABLE_LEN], mark[MARK_LEN];
};

static struct own own_of(const char *interface)
{
	char table[FIREWALL_TABLE_LEN];
	struct own own;

	snprintf(own.table, sizeof(own.table), "inet %s", firewall_table(interface, table));
	snprintf(own.mark, sizeof(own.mark), "qmesh %s", interface);
	return own;
}

static void need_port(struct needs *needs, const struct foreign_wish *w, const char *protocol,
		      unsigned port, bool from_members)
{
	struct need *need = &needs->rows[needs->n++];

	need->packet = (struct ruleset_packet){.hook = "input",
					       .family = CIDR_V4,
					       .iif = from_members ? w->interface : NULL,
					       .not_iif = w->interface,
					       .protocol = protocol,
					       .port = (uint16_t)port};
	if (from_members)
		need->packet.range = w->range4;
	need->what = from_members ? "a port for members is " : "the port of WireGuard is ";
	snprintf(need->match, sizeof(need->match), "%s%s%s%s dport %u",
		 from_members ? "iifname " : "", from_members ? w->interface : "",
		 from_members ? " " : "", protocol, port);
}

static void need_forward(struct needs *needs, const struct foreign_wish *w,
			 const struct cidr *range)
{
	struct need *need = &needs->rows[needs->n];

	if (!range->family)
		return;
	needs->n++;
	need->packet = (struct ruleset_packet){.hook = "forward",
					       .family = range->family,
					       .iif = w->interface,
					       .oif = w->interface,
					       .not_iif = w->interface,
					       .protocol = "tcp",
					       .range = *range};
	need->what = "";
	snprintf(need->match, sizeof(need->match), "iifname %s oifname %s", w->interface,
		 w->interface);
}

static void make_needs(const struct foreign_wish *w, struct needs *ret)
{
	ret->n = 0;
	need_port(ret, w, "udp", w->wg_port, false);
	need_forward(ret, w, &w->range4);
	need_forward(ret, w, &w->range6);
	if (w->dns) {
		need_port(ret, w, "udp", 53, true);
		need_port(ret, w, "tcp", 53, true);
	}
	for (size_t i = 0; i < ARRAY_LEN(w->mesh_ports); i++)
		if (w->mesh_ports[i])
			need_port(ret, w, "tcp", w->mesh_ports[i], true);
}

/* What iptables made may have names that nft takes for something else. */
static bool is_plain(const char *name)
{
	return name[0] && !name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					     "0123456789_-. ")];
}

/* The rules of this host, and the generation in which they surely were so. */
struct sight {
	struct ruleset *rules;
	uint32_t generation;
};

static void sight_done(struct sight *s)
{
	ruleset_free(TAKE(s->rules));
}

static int look(struct sight *s)
{
	int r;

	sight_done(s);
	r = nftgen_read(&s->generation);
	return r ? r : nft_rules(&s->rules);
}

/* What was found is removed only where nothing has changed since: a handle may be another's. */
static int withdraw(struct sight *s, const char *mark)
{
	struct ruleset_mark found[NFTGEN_RULES_MAX];

	for (unsigned looks = 0; looks < MAX_LOOKS; looks++) {
		size_t at = 0, n = 0;
		int r;

		while (n < ARRAY_LEN(found) && ruleset_marked(s->rules, mark, &at, &found[n]))
			n++;
		if (!n)
			return 0;
		r = nftgen_delete(s->generation, found, n);
		if (!r)
			log_info("wg", "%zu accepts of ours leave the rules of others", n);
		if (!r || r == -EAGAIN)
			r = look(s);
		if (r)
			return r;
	}
	return -EAGAIN;
}

/* Nothing on the interface but what our own table lets through. */
static bool is_table_for(const struct ruleset *rules, const struct own *own, const char *interface)
{
	const struct ruleset_packet stranger = {.hook = "forward",
						.family = CIDR_V4,
						.iif = interface,
						.oif = "lo",
						.not_iif = interface,
						.protocol = "tcp"};

	return ruleset_table_drops(rules, &stranger, own->table);
}

int foreign_clear(const char *interface)
{
	_cleanup_(sight_done) struct sight s = {.rules = NULL};
	const struct own own = own_of(interface);
	int r = look(&s), first = 0;

	if (r)
		return 0;
	if (is_table_for(s.rules, &own, interface))
		first = firewall_remove(interface);
	r = withdraw(&s, own.mark);
	return first ? first : r;
}

/* Accepts that are tried, and of those the ones that were refused. */
struct trial {
	const struct needs *needs;
	const struct own *own;
	struct text refused; /* lines */
	char words[FOREIGN_WORDS_LEN];
};

static void trial_done(struct trial *t)
{
	text_done(&t->refused);
}

static bool has_line(const struct text *lines, const char *line)
{
	return lines->s && strstr(lines->s, line);
}

static void write_line(const struct need *need, const struct ruleset_block *b,
		       const struct own *own, char ret[LINE_LEN])
{
	snprintf(ret, LINE_LEN, "insert rule %s %s %s counter accept comment \"%s\"\n", b->table,
		 b->place, need->match, own->mark);
}

/* One accept for each need in each chain that drops it. */
static void add_accepts(const struct ruleset *rules, const struct trial *t, struct text *batch)
{
	char line[LINE_LEN];
	struct ruleset_block b;

	for (size_t i = 0; i < t->needs->n; i++) {
		const struct need *need = &t->needs->rows[i];
		size_t at = 0;

		while (ruleset_drops(rules, &need->packet, t->own->table, t->own->mark, &at, &b)) {
			write_line(need, &b, t->own, line);
			/* A table of both families needs it once. */
			if (is_plain(b.table) && is_plain(b.place) && !has_line(batch, line) &&
			    !has_line(&t->refused, line))
				text_adds(batch, line);
		}
	}
}

/* "/dev/stdin:1:20-23: Error: syntax error, …" and more lines. */
static void note_refused(struct trial *t, const char *line, const char *said)
{
	const char *error = strstr(said, "Error: ");

	text_adds(&t->refused, line);
	if (t->words[0])
		return;
	error = error ? error + strlen("Error: ") : said;
	snprintf(t->words, sizeof(t->words), "not integrated: %.*s: %.*s", (int)strcspn(line, "\n"),
		 line, (int)strcspn(error, "\n"), error);
	text_utf8_mend(t->words);
}

static void log_lines(const char *lines)
{
	for (size_t len; *lines; lines += len + 1) {
		len = strcspn(lines, "\n");
		log_info("wg", "integrated: %.*s", (int)len, lines);
	}
}

static int try_each(struct trial *t, const char *lines)
{
	char line[LINE_LEN];

	for (size_t len; *lines; lines += len) {
		_cleanup_(text_done) struct text said = TEXT_INIT(SAID_MAX);
		int r;

		len = strcspn(lines, "\n") + 1;
		snprintf(line, sizeof(line), "%.*s", (int)len, lines);
		r = nft_batch(line, &said);
		if (r == -EIO)
			note_refused(t, line, said.s ? said.s : "");
		else if (r)
			return r;
		else
			log_lines(line);
	}
	return t->refused.failed ? err_origin(-ENOMEM) : 0;
}

/* At once; when one of them is refused, one by one. */
static int try_all(struct trial *t, const char *lines)
{
	_cleanup_(text_done) struct text said = TEXT_INIT(SAID_MAX);
	int r = nft_batch(lines, &said);

	if (r == -EIO)
		return try_each(t, lines);
	if (!r)
		log_lines(lines);
	return r;
}

static int integrate(struct sight *s, struct trial *t)
{
	for (unsigned round = 0; round < MAX_ROUNDS; round++) {
		_cleanup_(text_done) struct text batch = TEXT_INIT(BATCH_MAX);
		int r;

		add_accepts(s->rules, t, &batch);
		if (batch.failed)
			return err_origin(-ENOMEM);
		if (!batch.s)
			return 0;
		r = try_all(t, batch.s);
		if (!r)
			r = look(s);
		if (r)
			return r;
	}
	return 0;
}

/* The command only whole: a name may be so long that both have no room. */
static void say_block(const struct need *need, const struct ruleset_block *b, bool is_refused,
		      char ret[FOREIGN_WORDS_LEN])
{
	_cleanup_(text_done) struct text words = TEXT_INIT(FOREIGN_WORDS_LEN - 1);
	size_t len;

	text_addf(&words, "%sblocked by chain %.79s in table %.79s", need->what, b->chain,
		  b->table);
	len = words.len;
	if (is_refused)
		text_adds(&words, "; our accept is refused there, see the log");
	else
		text_addf(&words, "; what helps: nft insert rule %s %s %s accept", b->table,
			  b->place, need->match);
	if (words.s)
		memcpy(ret, words.s, words.failed ? len : words.len);
	/* The kernel takes any bytes for a name, and reports carry text. */
	text_utf8_mend(ret);
}

static void name_block(const struct ruleset *rules, const struct trial *t,
		       char ret[FOREIGN_WORDS_LEN])
{
	struct ruleset_block b;
	char line[LINE_LEN];

	memset(ret, 0, FOREIGN_WORDS_LEN);
	for (size_t i = 0; i < t->needs->n && !ret[0]; i++) {
		const struct need *need = &t->needs->rows[i];
		size_t at = 0;

		if (!ruleset_drops(rules, &need->packet, t->own->table, t->own->mark, &at, &b))
			continue;
		write_line(need, &b, t->own, line);
		say_block(need, &b, has_line(&t->refused, line), ret);
	}
}

int foreign_look(const struct foreign_wish *wish, struct foreign_look *ret_look)
{
	_cleanup_(sight_done) struct sight s = {.rules = NULL};
	const struct own own = own_of(wish->interface);
	struct needs needs;
	_cleanup_(trial_done) struct trial t = {
		.needs = &needs, .own = &own, .refused = TEXT_INIT(BATCH_MAX)};
	int r = look(&s);

	if (r)
		return r;
	make_needs(wish, &needs);
	ret_look->is_table_there = ruleset_has_table(s.rules, own.table);
	r = wish->integrate ? integrate(&s, &t) : withdraw(&s, own.mark);
	if (r)
		snprintf(t.words, sizeof(t.words), "rules of others not changed: %s", strerror(-r));
	memcpy(ret_look->refused, t.words, sizeof(t.words));
	if (!s.rules)
		return -EIO;
	name_block(s.rules, &t, ret_look->blocked);
	return 0;
}
