/* SPDX-License-Identifier: Apache-2.0 */
/* The CA for HTTPS on the mesh: certificates to stdout, what to compare to stderr. */
#include <stdio.h>

#include "client/cli/print.h"
#include "client/cli/reach.h"
#include "gen/rpc/stubs.h"

static int run_ca(struct cli *cli)
{
	_cleanup_(reach_free) Pb__GetMeshCaResponse *out = NULL;
	Pb__GetMeshCaRequest in = PB__GET_MESH_CA_REQUEST__INIT;
	struct qm_reply reply;
	int code;

	code = reach_open(cli);
	if (code)
		return code;
	code = reach_outcome(cli, qm_get_mesh_ca(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json)
		return print_json(stdout, "qmesh.ca/1", &out->base) < 0 ? EXIT_OTHER : 0;
	fputs(out->pem, stdout);
	for (size_t i = 0; i < out->n_certificates; i++)
		print_line(stderr, "SHA-256 %s, %s", out->certificates[i]->fingerprint,
			   out->certificates[i]->subject);
	return EXIT_DONE;
}

const struct command cmd_ca_table[] = {
	{"ca", "", "The CA to trust for https://NODE.quazzar.mesh:8443, as PEM", 0, 0, NULL,
	 run_ca},
	{NULL, NULL, NULL, 0, 0, NULL, NULL},
};
