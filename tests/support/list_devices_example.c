/* SPDX-License-Identifier: Apache-2.0 */
/* The example of docs/client.md: the devices of whoever the token is for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/rpc/stubs.h"

int main(int argc, char **argv)
{
	struct qm_options options = {.target = "unix:/run/qmesh/noded.sock"};
	Pb__ListDevicesRequest request = PB__LIST_DEVICES_REQUEST__INIT;
	Pb__ListDevicesResponse *answer = NULL;
	struct qm_client *client;
	struct qm_reply reply;
	char bearer[1100];
	int code = 1;

	if (argc > 1)
		options.target = argv[1]; /* or https://host:7444, with .ca_file or .pins */
	if (!getenv("TOKEN") || qm_client_new(&options, &client) < 0)
		return 2;
	snprintf(bearer, sizeof(bearer), "Bearer %s", getenv("TOKEN"));

	struct qm_md metadata = {"authorization", bearer, strlen(bearer)};
	struct qm_call_options call = {.timeout_ms = 5000, .metadata = &metadata, .n_metadata = 1};

	if (qm_list_devices(client, &call, &request, &reply, &answer) < 0)
		return 2;
	if (answer) {
		for (size_t i = 0; i < answer->n_devices; i++)
			printf("%s %s\n", answer->devices[i]->mesh_ip,
			       answer->devices[i]->dns_name);
		pb__list_devices_response__free_unpacked(answer, NULL);
		code = 0;
	} else {
		fprintf(stderr, "%s: %s\n", err_reason(reply.status.err), reply.status.message);
	}
	qm_reply_done(&reply);
	qm_client_free(client);
	return code;
}
