/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matches from left to right until one fails or a verdict comes. What the
 * packet's interface may be is guessed in favour of an accept and never of a
 * drop.
 */
#include "server/wg/nftrule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define MAX_WORDS 256
#define MAX_LEN 4096

enum answer { NO, YES, UNSURE, GUESS };

struct words {
	char space[MAX_LEN];
	char *word[MAX_WORDS];
	size_t n, at;
};

/* "" behind the last. */
static const char *peek(const struct words *w)
{
	return w->at < w->n ? w->word[w->at] : "";
}

static const char *take(struct words *w)
{
	return w->at < w->n ? w->word[w->at++] : "";
}

static bool takes(struct words *w, const char *word)
{
	if (strcmp(peek(w), word) != 0)
		return false;
	w->at++;
	return true;
}

/* Blanks part words; quotes and the comma behind an element go. False: too long. */
static bool split(const char *rule, struct words *w)
{
	char *p = w->space;

	w->n = w->at = 0;
	if (strlen(rule) >= sizeof(w->space))
		return false;
	strcpy(w->space, rule);
	for (p += strspn(p, " \t\n"); *p; p += strspn(p, " \t\n")) {
		bool quoted = *p == '"';
		size_t len = quoted ? strcspn(p + 1, "\"") : strcspn(p, " \t\n");
		char *end = p + quoted + len;

		if (w->n == MAX_WORDS)
			return false;
		w->word[w->n++] = p + quoted;
		p = *end ? end + 1 : end;
		*end = '\0';
		if (quoted && *p == ',')
			p++;
		if (!quoted && len > 1 && end[-1] == ',')
			end[-1] = '\0';
	}
	return true;
}

static bool is_name(const char *pattern, const char *name)
{
	size_t len = strlen(pattern);

	if (len && pattern[len - 1] == '*')
		return strncmp(pattern, name, len - 1) == 0;
	return strcmp(pattern, name) == 0;
}

static enum answer is_interface(const char *word, const struct ruleset_packet *p, const char *name)
{
	if (name)
		return is_name(word, name) ? YES : NO;
	/* Nothing goes out where nothing is sent on. */
	if (strcmp(p->hook, "input") != 0)
		return UNSURE;
	return strcmp(word, "lo") == 0 || is_name(word, p->not_iif) ? NO : GUESS;
}

static enum answer is_port(const char *word, const struct ruleset_packet *p)
{
	unsigned long first, last;
	char *end;

	first = strtoul(word, &end, 10);
	if (end == word || (*end && *end != '-') || !p->port)
		return UNSURE;
	last = *end ? strtoul(end + 1, NULL, 10) : first;
	return first <= p->port && p->port <= last ? YES : NO;
}

static enum answer is_address(const char *word, const struct ruleset_packet *p)
{
	struct cidr net;

	if (cidr_parse(word, &net))
		return UNSURE;
	if (net.family != p->family)
		return NO;
	net = cidr_network(&net);
	if (net.bits == 0)
		return YES;
	if (!p->range.family)
		return UNSURE;
	if (net.bits <= p->range.bits && cidr_contains(&net, &p->range))
		return YES;
	return cidr_overlaps(&net, &p->range) ? UNSURE : NO;
}

/* "established,related" */
static enum answer has_new(const char *word)
{
	const char *found = strstr(word, "new");

	return found && (found == word || found[-1] == ',') && strchr(",", found[3]) ? YES : NO;
}

enum key { KEY_NONE, KEY_IIF, KEY_OIF, KEY_PROTOCOL, KEY_PORT, KEY_ADDRESS, KEY_FAMILY, KEY_STATE };

/* Two words name it, or one. *ret_protocol, *ret_family: what it asks for besides. */
static enum key take_key(struct words *w, const char **ret_protocol, uint8_t *ret_family)
{
	static const struct {
		const char *first, *second;
		enum key key;
		const char *protocol;
		uint8_t family;
	} keys[] = {
		{"iifname", NULL, KEY_IIF, NULL, 0},
		{"iif", NULL, KEY_IIF, NULL, 0},
		{"oifname", NULL, KEY_OIF, NULL, 0},
		{"oif", NULL, KEY_OIF, NULL, 0},
		{"meta", "l4proto", KEY_PROTOCOL, NULL, 0},
		{"meta", "nfproto", KEY_FAMILY, NULL, 0},
		{"ip", "protocol", KEY_PROTOCOL, NULL, CIDR_V4},
		{"ip6", "nexthdr", KEY_PROTOCOL, NULL, CIDR_V6},
		{"tcp", "dport", KEY_PORT, "tcp", 0},
		{"udp", "dport", KEY_PORT, "udp", 0},
		{"th", "dport", KEY_PORT, NULL, 0},
		{"ip", "saddr", KEY_ADDRESS, NULL, CIDR_V4},
		{"ip", "daddr", KEY_ADDRESS, NULL, CIDR_V4},
		{"ip6", "saddr", KEY_ADDRESS, NULL, CIDR_V6},
		{"ip6", "daddr", KEY_ADDRESS, NULL, CIDR_V6},
		{"ct", "state", KEY_STATE, NULL, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strcmp(peek(w), keys[i].first) != 0)
			continue;
		if (keys[i].second &&
		    (w->at + 1 >= w->n || strcmp(w->word[w->at + 1], keys[i].second) != 0))
			continue;
		w->at += keys[i].second ? 2 : 1;
		*ret_protocol = keys[i].protocol;
		*ret_family = keys[i].family;
		return keys[i].key;
	}
	return KEY_NONE;
}

static enum answer compare(enum key key, const char *word, const struct ruleset_packet *p)
{
	if (word[0] == '@')
		return UNSURE;
	switch (key) {
	case KEY_IIF:
		return is_interface(word, p, p->iif);
	case KEY_OIF:
		return is_interface(word, p, p->oif);
	case KEY_PROTOCOL:
		return strcmp(word, p->protocol) == 0 ? YES : NO;
	case KEY_PORT:
		return is_port(word, p);
	case KEY_ADDRESS:
		return is_address(word, p);
	case KEY_FAMILY:
		return strcmp(word, p->family == CIDR_V4 ? "ipv4" : "ipv6") == 0 ? YES : NO;
	case KEY_STATE:
		return has_new(word);
	case KEY_NONE:
		break;
	}
	return UNSURE;
}

/* One value, or one of a set. */
static enum answer compare_values(struct words *w, enum key key, const struct ruleset_packet *p)
{
	enum answer answer = NO;

	if (!takes(w, "{"))
		return compare(key, take(w), p);
	while (*peek(w) && !takes(w, "}")) {
		enum answer one = compare(key, take(w), p);

		if (answer != YES && one != NO)
			answer = one;
	}
	return answer;
}

static enum answer match(struct words *w, const struct ruleset_packet *p)
{
	const char *protocol = NULL;
	uint8_t family = 0;
	enum key key = take_key(w, &protocol, &family);
	enum answer answer;
	bool negated;

	if (key == KEY_NONE)
		return UNSURE;
	negated = takes(w, "!=");
	(void)takes(w, "==");
	if (strcmp(peek(w), "vmap") == 0)
		return UNSURE;
	answer = compare_values(w, key, p);
	if (family && family != p->family)
		return NO;
	if (protocol && strcmp(protocol, p->protocol) != 0)
		return NO;
	if (!negated)
		return answer;
	return answer == YES ? NO : answer == NO ? YES : UNSURE;
}

/* Statements that decide nothing. */
static bool take_aside(struct words *w)
{
	static const char *const options[] = {"prefix", "level",   "flags",
					      "group",  "snaplen", "queue-threshold"};

	if (takes(w, "counter")) {
		w->at += strcmp(peek(w), "packets") == 0 ? 4 : 0;
		return true;
	}
	if (takes(w, "comment")) {
		w->at++;
		return true;
	}
	if (!takes(w, "log"))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(options);)
		if (takes(w, options[i])) {
			w->at++;
			i = 0;
		} else {
			i++;
		}
	return true;
}

static enum nftrule_verdict take_verdict(struct words *w, char ret_target[RULESET_NAME_LEN])
{
	if (takes(w, "accept"))
		return NFTRULE_ACCEPT;
	if (takes(w, "drop") || takes(w, "reject"))
		return NFTRULE_DROP;
	if (takes(w, "return"))
		return NFTRULE_RETURN;
	if (strcmp(peek(w), "jump") == 0 || strcmp(peek(w), "goto") == 0) {
		bool jumps = strcmp(take(w), "jump") == 0;

		snprintf(ret_target, RULESET_NAME_LEN, "%s", take(w));
		return jumps ? NFTRULE_JUMP : NFTRULE_GOTO;
	}
	return NFTRULE_NONE;
}

enum nftrule_verdict nftrule_judge(const char *rule, const struct ruleset_packet *packet,
				   char ret_target[RULESET_NAME_LEN])
{
	enum nftrule_verdict verdict;
	bool guessed = false;
	struct words w;

	if (!split(rule, &w))
		return NFTRULE_NONE;
	while (*peek(&w)) {
		enum answer answer;

		if (take_aside(&w))
			continue;
		verdict = take_verdict(&w, ret_target);
		if (verdict != NFTRULE_NONE)
			return guessed && verdict == NFTRULE_DROP ? NFTRULE_NONE : verdict;
		answer = match(&w, packet);
		if (answer == NO || answer == UNSURE)
			return NFTRULE_NONE;
		guessed |= answer == GUESS;
	}
	return NFTRULE_NONE;
}

bool nftrule_jumps_always(const char *rule, char ret_target[RULESET_NAME_LEN])
{
	struct words w;

	if (!split(rule, &w))
		return false;
	while (take_aside(&w))
		;
	return take_verdict(&w, ret_target) == NFTRULE_JUMP;
}
