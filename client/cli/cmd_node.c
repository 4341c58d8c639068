/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes and what is on them: node list, node show, peer list, refresh, change. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "client/cli/converge.h"
#include "client/cli/nodetable.h"
#include "client/cli/print.h"
#include "client/cli/reach.h"

#define MAX_PAGES 100

static const char *ago(const Google__Protobuf__Timestamp *t, char *ret)
{
	if (!t)
		return "never";
	return print_ago(t->seconds * 1000 + t->nanos / 1000000, clock_wall_ms(), ret);
}

/* Another node than the Control Panel and it may not know more than that it is there. */
static const char *state_of(const Pb__Node *node, char ret[64])
{
	if (node->state == PB__NODE_STATE__NODE_STATE_UNSPECIFIED)
		return node->online ? "online" : "offline";
	return print_enum(&pb__node_state__descriptor, (int)node->state, "NODE_STATE_", ret);
}

static bool is_degraded(const char *status)
{
	return strncmp(status, "degraded", 8) == 0;
}

static void add_note(struct text *out, const char *what, const char *words)
{
	text_addf(out, "%s%s%s", out->len ? "; " : "", what, words);
}

/* What is wrong with it, as far as its last report tells. */
static void note(const Pb__Node *node, struct text *out)
{
	if (node->why[0])
		add_note(out, "", node->why);
	else if (node->forwarding[0])
		add_note(out, "", node->forwarding);
	if (is_degraded(node->dns_status))
		add_note(out, "DNS ", node->dns_status);
	if (is_degraded(node->https_status))
		add_note(out, "HTTPS ", node->https_status);
}

void nodetable_print(Pb__Node *const *nodes, size_t n)
{
	struct print_table t;
	char text[64];

	print_table_init(&t, "NODE|IP|ENDPOINT|STATE|SINCE|LAST SEEN|DEVICES|GENERATION|NOTE");
	for (size_t i = 0; i < n; i++) {
		_cleanup_(text_done) struct text words = TEXT_INIT(2000);
		const Pb__Node *node = nodes[i];

		note(node, &words);
		print_cell(&t, node->slug);
		print_cell(&t, node->mesh_ip);
		print_cell(&t, node->endpoint);
		print_cell(&t, state_of(node, text));
		print_cell(&t, node->state_since ? ago(node->state_since, text) : NULL);
		print_cell(&t, ago(node->last_seen, text));
		print_cellf(&t, "%u", node->devices);
		print_cellf(&t, "%" PRIu64, node->applied_generation);
		print_cell(&t, words.s);
	}
	print_table_done(&t, stdout);
}

/* All pages of ListNodes. */
struct nodes {
	Pb__ListNodesResponse *pages[MAX_PAGES];
	size_t n_pages;
	Pb__Node **all; /* of the pages */
	size_t n;
};

static void nodes_done(struct nodes *l)
{
	while (l->n_pages > 0)
		protobuf_c_message_free_unpacked(&l->pages[--l->n_pages]->base, NULL);
	free(l->all);
}

static int gather(struct nodes *l)
{
	for (size_t i = 0; i < l->n_pages; i++)
		l->n += l->pages[i]->n_nodes;
	l->all = calloc(l->n ? l->n : 1, sizeof(Pb__Node *));
	if (!l->all)
		return EXIT_OTHER;
	l->n = 0;
	for (size_t i = 0; i < l->n_pages; i++)
		for (size_t k = 0; k < l->pages[i]->n_nodes; k++)
			l->all[l->n++] = l->pages[i]->nodes[k];
	return 0;
}

/* 0, or an exit code after saying why. */
static int fetch_nodes(struct cli *cli, struct nodes *l)
{
	Pb__ListNodesRequest in = PB__LIST_NODES_REQUEST__INIT;
	struct qm_reply reply;
	int code;

	code = reach_open(cli);
	if (code)
		return code;
	in.page_size = 1000;
	do {
		Pb__ListNodesResponse **page = &l->pages[l->n_pages];

		code = reach_outcome(cli, qm_list_nodes(cli->client, &cli->call, &in, &reply, page),
				     &reply);
		if (code)
			return code;
		qm_reply_done(&reply);
		in.page_token = l->pages[l->n_pages++]->next_page_token;
	} while (in.page_token[0] && l->n_pages < MAX_PAGES);
	return gather(l);
}

static int run_node_list(struct cli *cli)
{
	Pb__ListNodesResponse all = PB__LIST_NODES_RESPONSE__INIT;
	_cleanup_(nodes_done) struct nodes list = {0};
	int code = fetch_nodes(cli, &list);

	if (code)
		return code;
	all.nodes = list.all;
	all.n_nodes = list.n;
	if (cli->json)
		return print_json(stdout, "qmesh.node.list/1", &all.base) < 0 ? EXIT_OTHER : 0;
	nodetable_print(list.all, list.n);
	return EXIT_DONE;
}

static void line(const char *what, const char *value)
{
	print_line(stdout, "%-12s %s", what, value && value[0] ? value : "-");
}

static void show_node(const Pb__Node *n)
{
	char text[64];

	line("label", n->label);
	line("name", n->dns_name);
	line("id", n->id);
	line("state", state_of(n, text));
	if (n->state_since)
		line("since", ago(n->state_since, text));
	if (n->why[0])
		line("why", n->why);
	line("last seen", ago(n->last_seen, text));
	line("endpoint", n->endpoint);
	line("address", n->mesh_ip);
	line("address 6", n->mesh_ip6);
	line("public key", n->public_key);
	line("added", ago(n->created_at, text));
	printf("%-12s %u\n", "devices", n->devices);
	printf("%-12s %" PRIu64 "\n", "generation", n->applied_generation);
	line("dns", n->dns_status);
	line("https", n->https_status);
	if (n->forwarding[0])
		line("forwarding", n->forwarding);
}

/* By slug, label or id; the first two are unique in a tenant. */
static const Pb__Node *find_node(const struct nodes *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->all[i]->slug, name) || !strcmp(l->all[i]->label, name) ||
		    !strcmp(l->all[i]->id, name))
			return l->all[i];
	return NULL;
}

static int run_node_show(struct cli *cli)
{
	_cleanup_(nodes_done) struct nodes list = {0};
	const Pb__Node *found;
	int code = fetch_nodes(cli, &list);

	if (code)
		return code;
	found = find_node(&list, cli->args.words[0]);
	if (!found) {
		_cleanup_(status_done) struct status s = {0};

		status_set(&s, ERR_NOT_FOUND, "no node is called %s", cli->args.words[0]);
		print_failure(&s, cli->json);
		return EXIT_NOT_FOUND;
	}
	if (cli->json)
		return print_json(stdout, "qmesh.node/1", &found->base) < 0 ? EXIT_OTHER : 0;
	show_node(found);
	return EXIT_DONE;
}

static void add_peer(struct print_table *t, const Pb__Peer *p)
{
	_cleanup_(text_done) struct text ips = TEXT_INIT(4096);
	char text[64];

	for (size_t i = 0; i < p->n_allowed_ips && i < 3; i++)
		text_addf(&ips, "%s%s", i ? " " : "", p->allowed_ips[i]);
	if (p->n_allowed_ips > 3)
		text_addf(&ips, " and %zu more", p->n_allowed_ips - 3);
	print_cell(t, p->kind);
	print_cell(t, p->public_key);
	print_cell(t, ips.s);
	print_cell(t, p->endpoint);
	print_cell(t, ago(p->latest_handshake, text));
	print_cell(t, print_bytes(p->rx_bytes, text));
	print_cell(t, print_bytes(p->tx_bytes, text));
}

static int run_peer_list(struct cli *cli)
{
	_cleanup_(reach_free) Pb__ListPeersResponse *out = NULL;
	Pb__ListPeersRequest in = PB__LIST_PEERS_REQUEST__INIT;
	struct qm_reply reply;
	struct print_table t;
	int code;

	code = reach_open(cli);
	if (code)
		return code;
	code = reach_outcome(cli, qm_list_peers(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json)
		return print_json(stdout, "qmesh.peer.list/1", &out->base) < 0 ? EXIT_OTHER : 0;
	print_table_init(&t, "KIND|PUBLIC KEY|ADDRESSES|ENDPOINT|HANDSHAKE|IN|OUT");
	for (size_t i = 0; i < out->n_peers; i++)
		add_peer(&t, out->peers[i]);
	print_table_done(&t, stdout);
	return EXIT_DONE;
}

static int run_refresh(struct cli *cli)
{
	_cleanup_(reach_free) Pb__RefreshResponse *out = NULL;
	Pb__RefreshRequest in = PB__REFRESH_REQUEST__INIT;
	struct qm_reply reply;
	int code;

	code = reach_open(cli);
	if (code)
		return code;
	code = reach_outcome(cli, qm_refresh(cli->client, &cli->call, &in, &reply, &out), &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json)
		return print_json(stdout, "qmesh.refresh/1", &out->base) < 0 ? EXIT_OTHER : 0;
	printf("applied, generation %" PRIu64 "\n", out->generation);
	return EXIT_DONE;
}

static void show_change(const Pb__GetChangeResponse *out)
{
	struct print_table t;
	char text[64];

	printf("generation %" PRIu64 " is on %u of %u node%s", out->generation, out->applied,
	       out->live, out->live == 1 ? "" : "s");
	if (out->converged && out->elapsed_ms)
		printf(" after %u ms", out->elapsed_ms);
	putchar('\n');
	if (out->n_nodes == 0)
		return;
	print_table_init(&t, "NODE|ONLINE|APPLIED|GENERATION|SINCE|WHY");
	for (size_t i = 0; i < out->n_nodes; i++) {
		const Pb__NodeProgress *p = out->nodes[i];

		print_cell(&t, p->label);
		print_cell(&t, p->online ? "yes" : "no");
		print_cell(&t, p->applied ? "yes" : "no");
		print_cellf(&t, "%" PRIu64, p->applied_generation);
		print_cell(&t, ago(p->lags_since ? p->lags_since : p->since, text));
		print_cell(&t, p->why);
	}
	print_table_done(&t, stdout);
}

static int run_change(struct cli *cli)
{
	_cleanup_(reach_free) Pb__GetChangeResponse *out = NULL;
	Pb__GetChangeRequest in = PB__GET_CHANGE_REQUEST__INIT;
	struct qm_reply reply;
	int code;

	if (text_parse_u64(cli->args.words[0], INT64_MAX, &in.generation) < 0) {
		print_problem("qmesh status shows the newest one", "no generation: %s",
			      cli->args.words[0]);
		return EXIT_USAGE;
	}
	code = converge_wait(cli, &in.wait_ms);
	if (code == 0)
		code = reach_open(cli);
	if (code)
		return code;
	code = reach_outcome(cli, qm_get_change(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json) {
		if (print_json(stdout, "qmesh.change/1", &out->base) < 0)
			return EXIT_OTHER;
	} else {
		show_change(out);
	}
	if (args_has(&cli->args, "--wait") && !out->converged)
		return EXIT_TIMED_OUT;
	return EXIT_DONE;
}

static const struct flag change_flags[] = {
	{"--wait", "TIME", "until every node that is up has it, at most 5s"},
	{NULL, NULL, NULL},
};

const struct command cmd_node_table[] = {
	{"node list", "", "The tenant's nodes", 0, 0, NULL, run_node_list},
	{"node show", "NODE", "All about one node", 1, 1, NULL, run_node_show},
	{"peer list", "", "Live peers of this node's interface (admins)", 0, 0, NULL,
	 run_peer_list},
	{"refresh", "", "Fetch the whole list anew and apply it (admins)", 0, 0, NULL, run_refresh},
	{"change", "GENERATION", "Which nodes have a change", 1, 1, change_flags, run_change},
	{NULL, NULL, NULL, 0, 0, NULL, NULL},
};
