/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract is public, so is what is told here; who may call what is no
 * part of it. v1alpha is the same on the wire: its questions are read, and its
 * answers written, as v1's.
 */
#include "server/rpc/reflection.h"

#include <string.h>

#include "base/unpack.h"
#include "gen/rpc/server_reflection_service.h"
#include "gen/rpc/server_reflection_v1alpha_service.h"
#include "server/rpc/contract.h"
#include "server/rpc/packing.h"

#define MAX_SERVICES 32

#define ASKS(what) GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##what
#define TELLS(what) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##what

/* One answer with room for all it may point to. */
struct answer_room {
	Grpc__Reflection__V1__ServerReflectionResponse msg;
	Grpc__Reflection__V1__FileDescriptorResponse file;
	Grpc__Reflection__V1__ExtensionNumberResponse extensions;
	Grpc__Reflection__V1__ListServiceResponse services;
	Grpc__Reflection__V1__ServiceResponse rows[MAX_SERVICES], *row_at[MAX_SERVICES];
	Grpc__Reflection__V1__ErrorResponse error;
	ProtobufCBinaryData bytes;
	int32_t numbers[CONTRACT_MAX_EXTENSIONS];
};

static void tell_error(struct answer_room *a, enum grpc_code code, const char *words)
{
	grpc__reflection__v1__error_response__init(&a->error);
	a->error.error_code = (int32_t)code;
	a->error.error_message = (char *)(uintptr_t)words;
	a->msg.message_response_case = TELLS(ERROR_RESPONSE);
	a->msg.error_response = &a->error;
}

static void tell_file(struct answer_room *a, const struct descriptor_file *file, const char *words)
{
	if (!file) {
		tell_error(a, GRPC_NOT_FOUND, words);
		return;
	}
	grpc__reflection__v1__file_descriptor_response__init(&a->file);
	a->bytes = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)file->p, .len = file->len};
	a->file.file_descriptor_proto = &a->bytes;
	a->file.n_file_descriptor_proto = 1;
	a->msg.message_response_case = TELLS(FILE_DESCRIPTOR_RESPONSE);
	a->msg.file_descriptor_response = &a->file;
}

static void tell_extensions(struct answer_room *a, const char *type)
{
	if (!contract_symbol(type)) {
		tell_error(a, GRPC_NOT_FOUND, "No such message.");
		return;
	}
	grpc__reflection__v1__extension_number_response__init(&a->extensions);
	a->extensions.base_type_name = (char *)(uintptr_t)type;
	a->extensions.n_extension_number = contract_extensions(type, a->numbers);
	a->extensions.extension_number = a->numbers;
	a->msg.message_response_case = TELLS(ALL_EXTENSION_NUMBERS_RESPONSE);
	a->msg.all_extension_numbers_response = &a->extensions;
}

static void tell_services(struct answer_room *a, const struct services *s)
{
	const struct service *one;
	size_t n;

	grpc__reflection__v1__list_service_response__init(&a->services);
	for (n = 0; n < MAX_SERVICES && (one = service_at(s, n)); n++) {
		grpc__reflection__v1__service_response__init(&a->rows[n]);
		a->rows[n].name = (char *)(uintptr_t)one->name;
		a->row_at[n] = &a->rows[n];
	}
	a->services.n_service = n;
	a->services.service = a->row_at;
	a->msg.message_response_case = TELLS(LIST_SERVICES_RESPONSE);
	a->msg.list_services_response = &a->services;
}

static void answer(struct answer_room *a, const Grpc__Reflection__V1__ServerReflectionRequest *in,
		   const struct services *s)
{
	switch (in->message_request_case) {
	case ASKS(FILE_BY_FILENAME):
		tell_file(a, contract_file(in->file_by_filename), "No such file.");
		break;
	case ASKS(FILE_CONTAINING_SYMBOL):
		tell_file(a, contract_symbol(in->file_containing_symbol), "No such symbol.");
		break;
	case ASKS(FILE_CONTAINING_EXTENSION):
		tell_file(a,
			  contract_extension(
				  in->file_containing_extension->containing_type,
				  (unsigned)in->file_containing_extension->extension_number),
			  "No such extension.");
		break;
	case ASKS(ALL_EXTENSION_NUMBERS_OF_TYPE):
		tell_extensions(a, in->all_extension_numbers_of_type);
		break;
	case ASKS(LIST_SERVICES):
		tell_services(a, s);
		break;
	default:
		tell_error(a, GRPC_INVALID_ARGUMENT, "Nothing is asked.");
	}
}

static int on_question(struct call *call, const ProtobufCMessage *msg, void *arg)
{
	const Grpc__Reflection__V1__ServerReflectionRequest *in = (const void *)msg;
	struct answer_room room;
	struct frame *frame;
	int r;

	(void)arg;
	grpc__reflection__v1__server_reflection_response__init(&room.msg);
	room.msg.valid_host = in->host;
	room.msg.original_request = (void *)(uintptr_t)in;
	answer(&room, in, call->owner);
	r = packing_frame(&room.msg.base, false, &frame);
	if (r)
		return err_trace(r);
	r = call_send_frame(call, frame);
	frame_unref(frame);
	return r;
}

/* The same bytes, read as v1. */
static int on_old_question(struct call *call, const ProtobufCMessage *msg, void *arg)
{
	size_t len = protobuf_c_message_get_packed_size(msg);
	_cleanup_(freep) uint8_t *bytes = malloc(len + 1);
	ProtobufCMessage *same;
	int r;

	if (!bytes)
		return err_origin(-ENOMEM);
	protobuf_c_message_pack(msg, bytes);
	same = unpack_message(&grpc__reflection__v1__server_reflection_request__descriptor, NULL,
			      bytes, len);
	if (!same)
		return err_origin(-ENOMEM);
	r = on_question(call, same, arg);
	protobuf_c_message_free_unpacked(same, NULL);
	return r;
}

static int on_half_closed(struct call *call, void *arg)
{
	(void)call;
	(void)arg;
	return 0;
}

static int reflect(struct call *call)
{
	static const struct call_receiver receiver = {on_question, on_half_closed};
	int r = call_receive(call, &receiver, NULL);

	return r ? r : CALL_PARKED;
}

static int reflect_old(struct call *call)
{
	static const struct call_receiver receiver = {on_old_question, on_half_closed};
	int r = call_receive(call, &receiver, NULL);

	return r ? r : CALL_PARKED;
}

static const struct server_reflection_service handlers = {.server_reflection_info = reflect};
static const struct server_reflection_v1alpha_service old_handlers = {.server_reflection_info =
									      reflect_old};

int reflection_add(struct services *s)
{
	int r = service_add(s, &server_reflection_service_desc,
			    server_reflection_service_handlers(&handlers), s);

	if (r)
		return r;
	return service_add(s, &server_reflection_v1alpha_service_desc,
			   server_reflection_v1alpha_service_handlers(&old_handlers), s);
}
