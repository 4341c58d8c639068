/* SPDX-License-Identifier: Apache-2.0 */
/* The third example of docs/client.md: asks a server's reflection, a bidi stream. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/unpack.h"
#include "client/qstream.h"
#include "grpc/reflection/v1/reflection.pb-c.h"

#define REFLECTION "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"

static void print_services(const uint8_t *p, size_t len)
{
	Grpc__Reflection__V1__ServerReflectionResponse *answer =
		(Grpc__Reflection__V1__ServerReflectionResponse *)unpack_message(
			&grpc__reflection__v1__server_reflection_response__descriptor, NULL, p,
			len);

	if (!answer)
		return;
	if (answer->message_response_case ==
	    GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE)
		for (size_t i = 0; i < answer->list_services_response->n_service; i++)
			puts(answer->list_services_response->service[i]->name);
	grpc__reflection__v1__server_reflection_response__free_unpacked(answer, NULL);
}

int main(int argc, char **argv)
{
	struct qm_options options = {.target = argc > 1 ? argv[1] : "unix:/run/qmesh/noded.sock"};
	struct qm_call_options call = {.timeout_ms = 5000};
	Grpc__Reflection__V1__ServerReflectionRequest request =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
	const struct status *status;
	struct qm_client *client;
	struct qm_stream *stream;
	uint8_t bytes[64], *p;
	char all[] = "*";
	size_t len;
	int code;

	request.message_request_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES;
	request.list_services = all;
	len = grpc__reflection__v1__server_reflection_request__pack(&request, bytes);
	if (qm_client_new(&options, &client) < 0 ||
	    qm_stream_open(client, REFLECTION, QM_BIDI, &call, &stream) < 0)
		return 2;
	/* Ask, hear, and say that this was all: twice over the one stream. */
	for (int i = 0; i < 2 && qm_stream_send(stream, bytes, len) == 0; i++) {
		if (qm_stream_receive(stream, &p, &len) != 1)
			break;
		if (i == 0)
			print_services(p, len);
		free(p);
		len = grpc__reflection__v1__server_reflection_request__pack(&request, bytes);
	}
	qm_stream_end(stream);
	status = qm_stream_status(stream);
	code = (int)status->code;
	if (code)
		fprintf(stderr, "%s\n", status->message ? status->message : "failed");
	qm_stream_free(stream);
	qm_client_free(client);
	return code;
}
