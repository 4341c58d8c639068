/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Read line by line: tables hold chains, chains hold rules, and blocks of other
 * kinds (sets, maps, flow tables) are passed over. A rule that goes on over
 * several lines is one until its braces are closed.
 */
#include "server/wg/ruleset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "server/wg/nftrule.h"

#define MAX_DEPTH 16
/* Rules looked at for one packet: jumps may multiply them. */
#define MAX_STEPS 100000

struct rule {
	const char *text;
	unsigned long handle;
};

struct chain {
	char table[RULESET_NAME_LEN], name[RULESET_NAME_LEN];
	char hook[16]; /* of a base chain of the filter, else "" */
	bool drops;    /* its policy */
	size_t first, n;
};

struct ruleset {
	char *text;
	struct chain *chains;
	size_t n_chains;
	struct rule *rules;
	size_t n_rules;
	bool failed;
};

void ruleset_free(struct ruleset *rs)
{
	if (!rs)
		return;
	free(rs->text);
	free(rs->chains);
	free(rs->rules);
	free(rs);
}

/* --- reading --- */

static bool grow(void **rows, size_t n, size_t size)
{
	void *more;

	/* At 16, 32, 64, …: each power of two is full. */
	if (n && (n < 16 || (n & (n - 1))))
		return true;
	more = reallocarray(*rows, n ? n * 2 : 16, size);
	if (!more)
		return false;
	*rows = more;
	return true;
}

static struct chain *add_chain(struct ruleset *rs, const char *table, const char *name)
{
	struct chain *c;

	if (!grow((void **)&rs->chains, rs->n_chains, sizeof(*c))) {
		rs->failed = true;
		return NULL;
	}
	c = &rs->chains[rs->n_chains++];
	*c = (struct chain){.first = rs->n_rules};
	snprintf(c->table, sizeof(c->table), "%s", table);
	snprintf(c->name, sizeof(c->name), "%s", name);
	return c;
}

/* Takes "# handle 7" off; 0: there was none. */
static unsigned long cut_handle(char *line)
{
	static const char word[] = " # handle ";
	char *at = NULL;

	for (char *p = strstr(line, word); p; p = strstr(p + 1, word))
		at = p;
	if (!at)
		return 0;
	*at = '\0';
	return strtoul(at + sizeof(word) - 1, NULL, 10);
}

/* "type filter hook forward priority filter; policy drop;" */
static void read_type(struct chain *c, const char *line)
{
	const char *hook = strstr(line, " hook ");

	if (!hook || strncmp(line, "type filter ", 12) != 0)
		return;
	snprintf(c->hook, sizeof(c->hook), "%.*s", (int)strcspn(hook + 6, " "), hook + 6);
	c->drops = strstr(line, "policy drop") != NULL;
}

static void add_rule(struct ruleset *rs, struct chain *c, char *line)
{
	unsigned long handle = cut_handle(line);

	if (strncmp(line, "type ", 5) == 0) {
		read_type(c, line);
		return;
	}
	if (!grow((void **)&rs->rules, rs->n_rules, sizeof(*rs->rules))) {
		rs->failed = true;
		return;
	}
	rs->rules[rs->n_rules++] = (struct rule){.text = line, .handle = handle};
	c->n++;
}

/* Open braces outside quotes. */
static int depth_of(const char *line)
{
	bool quoted = false;
	int depth = 0;

	for (; *line; line++) {
		quoted ^= *line == '"';
		depth += quoted ? 0 : (*line == '{') - (*line == '}');
	}
	return depth;
}

/* "chain FORWARD {" with word "chain ". */
static bool read_opening(char *line, const char *word, char ret[RULESET_NAME_LEN])
{
	size_t skip = strlen(word), len;

	if (strncmp(line, word, skip) != 0)
		return false;
	cut_handle(line);
	len = strlen(line);
	if (len < skip + 3 || line[len - 1] != '{')
		return false;
	snprintf(ret, RULESET_NAME_LEN, "%.*s", (int)(len - skip - 2), line + skip);
	return true;
}

/* The next line without its blanks at both ends, *ret NULL at the end; the text is cut up. */
static char *next_line(char **at)
{
	char *line = *at, *end;

	if (!line || !*line)
		return NULL;
	end = strchr(line, '\n');
	*at = end ? end + 1 : line + strlen(line);
	if (end)
		*end = '\0';
	return line + strspn(line, " \t");
}

/* Joins what follows until the braces are closed; the gap of a line end becomes a blank. */
static void join(char *line, char **at)
{
	int depth = depth_of(line);

	while (depth > 0 && **at) {
		char *more;

		(*at)[-1] = ' ';
		more = next_line(at);
		depth += depth_of(more);
	}
}

static void read_chain(struct ruleset *rs, const char *table, const char *name, char **at)
{
	struct chain *c = add_chain(rs, table, name);
	char *line;

	while (c && (line = next_line(at)) && strcmp(line, "}") != 0) {
		if (!*line)
			continue;
		join(line, at);
		add_rule(rs, c, line);
	}
}

static void read_table(struct ruleset *rs, const char *table, char **at)
{
	size_t first = rs->n_chains;
	char name[RULESET_NAME_LEN], *line;
	bool dormant = false;

	/* A table without chains is there too. */
	add_chain(rs, table, "");
	while (!rs->failed && (line = next_line(at)) && strcmp(line, "}") != 0) {
		if (read_opening(line, "chain ", name))
			read_chain(rs, table, name, at);
		else if (strncmp(line, "flags ", 6) == 0)
			dormant |= strstr(line, "dormant") != NULL;
		else
			join(line, at);
	}
	for (size_t i = first; dormant && i < rs->n_chains; i++)
		rs->chains[i].hook[0] = '\0';
}

int ruleset_parse(const char *text, struct ruleset **ret_rules)
{
	_cleanup_(ruleset_freep) struct ruleset *rs = calloc(1, sizeof(*rs));
	char table[RULESET_NAME_LEN], *at, *line;

	if (!rs)
		return err_origin(-ENOMEM);
	at = rs->text = strdup(text);
	if (!at)
		return err_origin(-ENOMEM);
	while (!rs->failed && (line = next_line(&at)))
		if (read_opening(line, "table ", table))
			read_table(rs, table, &at);
	if (rs->failed)
		return err_origin(-ENOMEM);
	*ret_rules = TAKE(rs);
	return 0;
}

/* --- looking --- */

bool ruleset_has_table(const struct ruleset *rs, const char *table)
{
	for (size_t i = 0; i < rs->n_chains; i++)
		if (strcmp(rs->chains[i].table, table) == 0)
			return true;
	return false;
}

static const struct chain *find(const struct ruleset *rs, const char *table, const char *name)
{
	for (size_t i = 0; i < rs->n_chains; i++)
		if (strcmp(rs->chains[i].table, table) == 0 &&
		    strcmp(rs->chains[i].name, name) == 0)
			return &rs->chains[i];
	return NULL;
}

static bool has_mark(const struct rule *r, const char *mark)
{
	const char *comment = strstr(r->text, "comment \"");
	size_t len = strlen(mark);

	return comment && strncmp(comment + 9, mark, len) == 0 && comment[9 + len] == '"';
}

struct walk {
	const struct ruleset *rs;
	const struct ruleset_packet *packet;
	unsigned depth, steps;
};

/* ACCEPT, DROP, or NONE where the chain ends or returns. */
static enum nftrule_verdict walk_chain(struct walk *w, const struct chain *c)
{
	enum nftrule_verdict verdict = NFTRULE_NONE;
	char target[RULESET_NAME_LEN];

	if (++w->depth > MAX_DEPTH)
		c = NULL;
	for (size_t i = 0; c && i < c->n && w->steps++ < MAX_STEPS; i++) {
		verdict = nftrule_judge(w->rs->rules[c->first + i].text, w->packet, target);
		if (verdict == NFTRULE_JUMP || verdict == NFTRULE_GOTO) {
			const struct chain *next = find(w->rs, c->table, target);
			bool ends = verdict == NFTRULE_GOTO;

			verdict = next ? walk_chain(w, next) : NFTRULE_NONE;
			if (ends)
				break;
		}
		if (verdict == NFTRULE_RETURN)
			verdict = NFTRULE_NONE;
		else if (verdict == NFTRULE_NONE)
			continue;
		break;
	}
	w->depth--;
	return verdict;
}

static bool is_of(const struct chain *c, const struct ruleset_packet *p)
{
	return strcmp(c->hook, p->hook) == 0 &&
	       (strncmp(c->table, "inet ", 5) == 0 ||
		strncmp(c->table, p->family == CIDR_V4 ? "ip " : "ip6 ",
			p->family == CIDR_V4 ? 3 : 4) == 0);
}

static bool is_marked(const struct ruleset *rs, const struct chain *c, const char *mark)
{
	for (size_t i = 0; i < c->n; i++)
		if (has_mark(&rs->rules[c->first + i], mark))
			return true;
	return false;
}

/*
 * Docker and others keep a chain for the rules of the host's owner, which they
 * jump to first and leave alone: DOCKER-USER. Everything else of theirs they
 * write anew when they like.
 */
static const struct chain *place_of(const struct ruleset *rs, const struct chain *base,
				    const char *mark)
{
	static const char suffix[] = "-USER";
	char target[RULESET_NAME_LEN];

	for (size_t i = 0; i < base->n; i++) {
		const struct chain *c;
		size_t len;

		if (!nftrule_jumps_always(rs->rules[base->first + i].text, target))
			continue;
		len = strlen(target);
		c = find(rs, base->table, target);
		if (c && len >= sizeof(suffix) - 1 &&
		    strcmp(target + len - (sizeof(suffix) - 1), suffix) == 0 &&
		    !is_marked(rs, c, mark))
			return c;
	}
	return base;
}

static bool chain_drops(const struct ruleset *rs, const struct chain *c,
			const struct ruleset_packet *packet)
{
	struct walk w = {.rs = rs, .packet = packet};
	enum nftrule_verdict verdict;

	if (!is_of(c, packet))
		return false;
	verdict = walk_chain(&w, c);
	return verdict == NFTRULE_DROP || (verdict == NFTRULE_NONE && c->drops);
}

bool ruleset_table_drops(const struct ruleset *rs, const struct ruleset_packet *packet,
			 const char *table)
{
	for (size_t i = 0; i < rs->n_chains; i++)
		if (strcmp(rs->chains[i].table, table) == 0 &&
		    chain_drops(rs, &rs->chains[i], packet))
			return true;
	return false;
}

bool ruleset_drops(const struct ruleset *rs, const struct ruleset_packet *packet,
		   const char *not_in, const char *mark, size_t *at,
		   struct ruleset_block *ret_block)
{
	while (*at < rs->n_chains) {
		const struct chain *c = &rs->chains[(*at)++];

		if (strcmp(c->table, not_in) == 0 || !chain_drops(rs, c, packet))
			continue;
		strcpy(ret_block->table, c->table);
		strcpy(ret_block->chain, c->name);
		strcpy(ret_block->place, place_of(rs, c, mark)->name);
		return true;
	}
	return false;
}

bool ruleset_marked(const struct ruleset *rs, const char *mark, size_t *at,
		    struct ruleset_mark *ret_mark)
{
	for (; *at < rs->n_rules; (*at)++) {
		const struct rule *r = &rs->rules[*at];

		if (!has_mark(r, mark))
			continue;
		for (size_t i = 0; i < rs->n_chains; i++) {
			const struct chain *c = &rs->chains[i];

			if (*at < c->first || *at >= c->first + c->n)
				continue;
			strcpy(ret_mark->table, c->table);
			strcpy(ret_mark->chain, c->name);
		}
		ret_mark->handle = r->handle;
		(*at)++;
		return true;
	}
	return false;
}
