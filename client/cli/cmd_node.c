/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes and what is on them: node list, peer list, refresh, change. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
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

void nodetable_print(Pb__Node *const *nodes, size_t n)
{
	struct print_table t;
	char text[64];

	print_table_init(&t, "NODE|IP|ENDPOINT|STATE|SINCE|LAST SEEN|DEVICES|GENERATION|NOTE");
	for (size_t i = 0; i < n; i++) {
		const Pb__Node *node = nodes[i];

		print_cell(&t, node->slug);
		print_cell(&t, node->mesh_ip);
		print_cell(&t, node->endpoint);
		print_cell(&t, state_of(node, text));
		print_cell(&t, node->state_since ? ago(node->state_since, text) : NULL);
		print_cell(&t, ago(node->last_seen, text));
		print_cellf(&t, "%u", node->devices);
		print_cellf(&t, "%" PRIu64, node->applied_generation);
		print_cell(&t, node->why[0] ? node->why : node->forwarding);
	}
	print_table_done(&t, stdout);
}

static int print_node_pages(struct cli *cli, Pb__ListNodesResponse *const *pages, size_t n)
{
	Pb__ListNodesResponse all = PB__LIST_NODES_RESPONSE__INIT;
	_cleanup_(freep) Pb__Node **nodes = NULL;
	size_t n_nodes = 0;

	for (size_t i = 0; i < n; i++)
		n_nodes += pages[i]->n_nodes;
	nodes = calloc(n_nodes ? n_nodes : 1, sizeof(*nodes));
	if (!nodes)
		return EXIT_OTHER;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < pages[i]->n_nodes; k++)
			nodes[all.n_nodes++] = pages[i]->nodes[k];
	all.nodes = nodes;
	if (cli->json)
		return print_json(stdout, "qmesh.node.list/1", &all.base) < 0 ? EXIT_OTHER : 0;
	nodetable_print(nodes, all.n_nodes);
	return EXIT_DONE;
}

static int run_node_list(struct cli *cli)
{
	Pb__ListNodesRequest in = PB__LIST_NODES_REQUEST__INIT;
	Pb__ListNodesResponse *pages[MAX_PAGES];
	struct qm_reply reply;
	size_t n = 0;
	int code;

	code = reach_open(cli);
	if (code)
		return code;
	in.page_size = 1000;
	do {
		pages[n] = NULL;
		code = reach_outcome(cli,
				     qm_list_nodes(cli->client, &cli->call, &in, &reply, &pages[n]),
				     &reply);
		if (code)
			break;
		qm_reply_done(&reply);
		in.page_token = pages[n++]->next_page_token;
	} while (in.page_token[0] && n < MAX_PAGES);
	if (code == 0)
		code = print_node_pages(cli, pages, n);
	while (n > 0)
		protobuf_c_message_free_unpacked(&pages[--n]->base, NULL);
	return code;
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
	{"peer list", "", "Live peers of this node's interface (admins)", 0, 0, NULL,
	 run_peer_list},
	{"refresh", "", "Fetch the whole list anew and apply it (admins)", 0, 0, NULL, run_refresh},
	{"change", "GENERATION", "Which nodes have a change", 1, 1, change_flags, run_change},
	{NULL, NULL, NULL, 0, 0, NULL, NULL},
};
