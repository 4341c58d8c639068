/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's look at audits: is a chain as it was written, and its signed heads. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/headfile.h"
#include "client/cli/print.h"
#include "client/cli/reach.h"
#include "client/cli/tenantarg.h"
#include "gen/rpc/stubs.h"

#define HEADS_BUDGET ((size_t)16 << 20)

/* --- heads and keys --- */

static int ask_heads(struct cli *cli, const char *tenant, const char *page,
		     Pb__SignAuditHeadsResponse **ret_out)
{
	Pb__SignAuditHeadsRequest in = PB__SIGN_AUDIT_HEADS_REQUEST__INIT;
	struct qm_reply reply;
	int code;

	in.tenant = (char *)tenant;
	in.page_token = (char *)page;
	code = reach_outcome(
		cli, qm_sign_audit_heads(cli->client, &cli->call, &in, &reply, ret_out), &reply);
	if (!code)
		qm_reply_done(&reply);
	return code;
}

static int put_head(const Pb__AuditHead *head, const char *path)
{
	_cleanup_(freep) char *line = headfile_line(head);
	int r = line ? 0 : -ENOMEM;

	if (!r && path)
		r = headfile_add(path, line, strlen(line));
	else if (!r && fputs(line, stdout) < 0)
		r = -EIO;
	if (r)
		print_problem(NULL, "%s: %s", path ? path : "a head", strerror(-r));
	return r ? EXIT_OTHER : 0;
}

static int run_head(struct cli *cli)
{
	const char *path = args_value(&cli->args, "--export");
	char tenant[TENANTARG_ROOM], page[65] = "";
	size_t n = 0;
	int code;

	tenantarg_named(cli, tenant);
	code = reach_open_operator(cli);
	while (!code) {
		_cleanup_(reach_free) Pb__SignAuditHeadsResponse *out = NULL;

		code = ask_heads(cli, tenant, page, &out);
		for (size_t i = 0; !code && i < out->n_heads; i++, n++)
			code = put_head(out->heads[i], path);
		if (code || !out->next_page_token[0])
			break;
		snprintf(page, sizeof(page), "%s", out->next_page_token);
	}
	if (!code && path && !cli->json)
		print_line(stdout, "%zu head%s added to %s", n, n == 1 ? "" : "s", path);
	return code;
}

static int run_key(struct cli *cli)
{
	_cleanup_(reach_free) Pb__SignAuditHeadsResponse *out = NULL;
	int code;

	code = reach_open_operator(cli);
	if (!code)
		code = ask_heads(cli, "", "", &out);
	for (size_t i = 0; !code && i < out->n_keys; i++) {
		const Pb__AuditKey *key = out->keys[i];
		char base64[TEXT_BASE64_LEN(SIGN_PUBLIC_LEN) + 1];

		if (key->public_key.len != SIGN_PUBLIC_LEN) {
			print_problem(NULL, "the Control Panel's key %s is none of Ed25519",
				      key->kid);
			return EXIT_OTHER;
		}
		text_base64(key->public_key.data, SIGN_PUBLIC_LEN, base64);
		print_line(stdout, "qmesh-audit-public %s %s", key->kid, base64);
	}
	return code;
}

/* --- is it as it was written? --- */

/* "12:HASH", as audit verify prints it; false: then it is a file. */
static bool take_mark(const char *text, Pb__AuditHead *mark, char ret_hash[65])
{
	const char *colon = strchr(text, ':');
	uint8_t hash[HASH_LEN];
	char number[24];

	if (!colon || (size_t)(colon - text) >= sizeof(number) || strlen(colon + 1) != 64 ||
	    text_unhex(colon + 1, hash, sizeof(hash)))
		return false;
	snprintf(number, sizeof(number), "%.*s", (int)(colon - text), text);
	if (text_parse_u64(number, INT64_MAX, &mark->seq) || !mark->seq)
		return false;
	memcpy(ret_hash, colon + 1, 65);
	mark->hash = ret_hash;
	return true;
}

static int tell_problem(int r, const char *path, const struct headfile_problem *problem)
{
	if (problem->keys_path)
		path = problem->keys_path;
	if (r < 0)
		print_problem(problem->keys_path
				      ? "--key FILE with what audit key prints"
				      : "--head FILE as audit head --export makes it, or "
					"--head 12:HASH",
			      "%s: %s", path, strerror(-r));
	else
		print_problem(NULL, "%s: %s", path, problem->words);
	return r < 0 ? EXIT_USAGE : EXIT_CHECK_FAILED;
}

/*
 * The heads of the file that are of this tenant. With keys of the caller's they are
 * judged here, and go on as marks that the Control Panel's own keys need not know.
 */
static int take_file(struct cli *cli, const char *path, Pb__VerifyAuditRequest *in,
		     struct arena *arena)
{
	_cleanup_(reach_free) Pb__SignAuditHeadsResponse *out = NULL;
	const char *keys = args_value(&cli->args, "--key");
	struct headfile_problem problem = {0};
	int code, r;

	code = ask_heads(cli, in->tenant, "", &out);
	if (code)
		return code;
	if (!out->n_heads) {
		print_problem(NULL, "the Control Panel answers without a head of %s", in->tenant);
		return EXIT_OTHER;
	}
	r = headfile_read(path, out->heads[0]->tenant, arena, &in->heads, &in->n_heads, &problem);
	if (!r && keys)
		r = headfile_check(keys, in->heads, in->n_heads, &problem);
	for (size_t i = 0; !r && keys && i < in->n_heads; i++) {
		if (strcmp(in->heads[i]->control_panel, out->heads[0]->control_panel) != 0) {
			snprintf(problem.words, sizeof(problem.words),
				 "the head of row %" PRIu64 " is of another Control Panel",
				 in->heads[i]->seq);
			r = ERR_FIELD_INVALID;
		}
		in->heads[i]->signature.len = 0;
	}
	return r ? tell_problem(r, path, &problem) : 0;
}

static void tell_fault(const char *whose, const char *colon, const Pb__VerifyAuditResponse *out)
{
	char text[64];

	if (out->fault == PB__AUDIT_FAULT__AUDIT_FAULT_MISSING && out->bad_seq == out->rows + 1)
		print_line(stderr, "error: %s%srows after %" PRIu64 " are gone", whose, colon,
			   out->rows);
	else if (out->fault == PB__AUDIT_FAULT__AUDIT_FAULT_HEAD)
		print_line(stderr, "error: %s%sthe signed head of row %" PRIu64 " was changed",
			   whose, colon, out->bad_seq);
	else if (out->fault != PB__AUDIT_FAULT__AUDIT_FAULT_REWRITTEN)
		print_line(stderr, "error: %s%srow %" PRIu64 " is %s", whose, colon, out->bad_seq,
			   print_enum(&pb__audit_fault__descriptor, (int)out->fault, "AUDIT_FAULT_",
				      text));
	else if (out->from_seq == out->bad_seq)
		print_line(stderr, "error: %s%srow %" PRIu64 " was written anew", whose, colon,
			   out->bad_seq);
	else
		print_line(stderr,
			   "error: %s%sa row from %" PRIu64 " to %" PRIu64 " was written anew",
			   whose, colon, out->from_seq, out->bad_seq);
}

/* whose: the tenant in front of the words, where it was not named; "" where it was. */
static int tell_outcome(const struct cli *cli, const char *whose,
			const Pb__VerifyAuditResponse *out)
{
	const char *colon = *whose ? ": " : "";

	if (cli->json && print_json(stdout, "qmesh.audit.verify/1", &out->base) < 0)
		return EXIT_OTHER;
	if (!cli->json && out->fault)
		tell_fault(whose, colon, out);
	else if (!cli->json)
		print_line(stdout, "%s%swhole: %" PRIu64 " rows, head %" PRIu64 ":%s", whose, colon,
			   out->rows, out->rows, out->head);
	return out->fault ? EXIT_CHECK_FAILED : EXIT_DONE;
}

static int verify(struct cli *cli, const char *whose, const Pb__VerifyAuditRequest *in)
{
	_cleanup_(reach_free) Pb__VerifyAuditResponse *out = NULL;
	struct qm_reply reply;
	bool bad_head;
	int code, r;

	cli->call.timeout_ms = 120000;
	r = qm_verify_audit(cli->client, &cli->call, in, &reply, &out);
	/* What is wrong with a head is an outcome, not a slip of the caller's. */
	bad_head = r >= 0 && status_get(&reply.status, "fault");
	code = reach_outcome(cli, r, &reply);
	if (code)
		return bad_head ? EXIT_CHECK_FAILED : code;
	qm_reply_done(&reply);
	return tell_outcome(cli, whose, out);
}

/* A broken one is told and the next is looked at; only what is no outcome ends it. */
static int verify_page(struct cli *cli, const Pb__ListTenantsResponse *tenants, bool *broken)
{
	for (size_t i = 0; i < tenants->n_tenants; i++) {
		Pb__VerifyAuditRequest in = PB__VERIFY_AUDIT_REQUEST__INIT;
		int code;

		in.tenant = tenants->tenants[i]->id;
		code = verify(cli, tenants->tenants[i]->name, &in);
		if (code && code != EXIT_CHECK_FAILED)
			return code;
		*broken |= code != 0;
	}
	return 0;
}

static int verify_all(struct cli *cli)
{
	char token[201] = "";
	bool broken = false;
	size_t n = 0;

	do {
		_cleanup_(reach_free) Pb__ListTenantsResponse *out = NULL;
		Pb__ListTenantsRequest in = PB__LIST_TENANTS_REQUEST__INIT;
		struct qm_reply reply;
		int code;

		in.page_token = token;
		code = reach_outcome(
			cli, qm_list_tenants(cli->client, &cli->call, &in, &reply, &out), &reply);
		if (code)
			return code;
		qm_reply_done(&reply);
		code = verify_page(cli, out, &broken);
		if (code)
			return code;
		n += out->n_tenants;
		snprintf(token, sizeof(token), "%s", out->next_page_token);
	} while (*token);
	/* Whoever looks after a restore must not take nothing for all is well. */
	if (!n) {
		print_problem(NULL, "there is no tenant yet");
		return EXIT_USAGE;
	}
	return broken ? EXIT_CHECK_FAILED : EXIT_DONE;
}

static int run_verify(struct cli *cli)
{
	const char *head = args_value(&cli->args, "--head");
	Pb__VerifyAuditRequest in = PB__VERIFY_AUDIT_REQUEST__INIT;
	Pb__AuditHead mark = PB__AUDIT_HEAD__INIT, *marks[] = {&mark};
	char tenant[TENANTARG_ROOM], hash[65];
	struct arena arena;
	int code;

	if (args_has(&cli->args, "--key") && !head) {
		print_problem(NULL, "--key goes with --head FILE");
		return EXIT_USAGE;
	}
	code = reach_open_operator(cli);
	if (code)
		return code;
	tenantarg_named(cli, tenant);
	if (!*tenant && !head)
		return verify_all(cli);
	code = tenantarg_choose(cli, tenant);
	if (code)
		return code;
	in.tenant = tenant;
	arena_init(&arena, HEADS_BUDGET);
	if (head && take_mark(head, &mark, hash)) {
		in.heads = marks;
		in.n_heads = 1;
	} else if (head) {
		code = take_file(cli, head, &in, &arena);
	}
	if (!code)
		code = verify(cli, "", &in);
	arena_done(&arena);
	return code;
}

static const struct flag head_flags[] = {
	{"--tenant", "NAME", "one tenant; all without it"},
	{"--export", "FILE", "add the lines to a file, which is made where there is none"},
	{NULL, NULL, NULL},
};

static const struct flag verify_flags[] = {
	{"--tenant", "NAME", "one tenant; all without it, or with --head the only one there is"},
	{"--head", "FILE", "signed heads kept elsewhere, or one as 12:HASH: is all still there?"},
	{"--key", "FILE", "believe heads by the keys of this file, not by the Control Panel's"},
	{NULL, NULL, NULL},
};

const struct command cmd_heads_table[] = {
	{"audit verify", "[TENANT]", "Recompute the audit chains of tenants", 0, 1, verify_flags,
	 run_verify},
	{"audit head", "[TENANT]", "The signed heads of audit chains, to be kept elsewhere", 0, 1,
	 head_flags, run_head},
	{"audit key", "", "The public keys of signed heads", 0, 0, NULL, run_key},
	{NULL, NULL, NULL, 0, 0, NULL, NULL},
};
