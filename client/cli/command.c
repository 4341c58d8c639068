/* SPDX-License-Identifier: Apache-2.0 */
/* All sub-commands, in the order of help. */
#include "client/cli/command.h"

static const struct command *const tables[] = {
	cmd_session_table, cmd_token_table,   cmd_status_table, cmd_audit_table, cmd_heads_table,
	cmd_device_table,  cmd_issue_table,   cmd_node_table,   cmd_ca_table,    cmd_admin_table,
	cmd_key_table,     cmd_licence_table, cmd_backup_table, cmd_about_table,
};

const struct flag command_flags[] = {
	{"--server", "URL",
	 "https://HOST:PORT, http://127.0.0.1:PORT or unix:/PATH (QMESH_SERVER)"},
	{"--ca", "FILE", "PEM file of CAs to trust (QMESH_CA)"},
	{"--pin", "HEX", "SHA-256 of the server's public key; may be repeated (QMESH_PIN)"},
	{"--token-file", "FILE", "session token from a file, - for stdin (QMESH_TOKEN_FILE)"},
	{"--json", NULL, "one JSON object instead of text"},
	{"--help", NULL, "help for the command"},
	{NULL, NULL, NULL},
};

const struct command *command_nth(size_t n)
{
	for (size_t t = 0; t < ARRAY_LEN(tables); t++) {
		for (const struct command *c = tables[t]; c->name; c++)
			if (n-- == 0)
				return c;
	}
	return NULL;
}
