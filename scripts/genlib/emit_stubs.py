# SPDX-License-Identifier: Apache-2.0
"""gen/rpc/stubs: typed calls over client/qmesh.h."""

from contract_check import stub_name
from emit_tables import keeps_secret
from emit import banner, header, includes, lower_name, quote, type_name

HEADER_WORDS = """/*
 * Typed calls. Compiled into qm_client (gen/rpc/stubs.c), which has the
 * transport. Unary calls block:
 *
 *   0       the call was made: its outcome is in ret_reply->status, and on OK
 *           *ret_out is the answer (NULL otherwise; free it with the message's
 *           free_unpacked and no allocator)
 *   < 0     nothing was sent: -ENOMEM, -EINVAL; ret_reply is not filled
 *
 * options may be NULL. A method that the contract calls idempotent is sent as
 * such whatever options->idempotent says.
 *
 * Streams of answers: qm_*_start is qm_start with a typed request; messages
 * arrive in handler->message as bytes for the answer's unpack.
 *
 * Streams of requests, with one answer or many: qm_*_open is qm_open,
 * qm_*_send is qm_call_send with a typed request, qm_call_end ends them.
 */
"""

HELPERS = """
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/unpack.h"

/* What the contract says of a method. */
enum { IDEMPOTENT = 1, SECRET = 2 };

/* Options as the contract wants them. */
static struct qm_call_options merged(const struct qm_call_options *options, unsigned traits)
{
\tstruct qm_call_options o = {0};

\tif (options)
\t\to = *options;
\to.idempotent |= (traits & IDEMPOTENT) != 0;
\to.secret |= (traits & SECRET) != 0;
\treturn o;
}

/* The request as bytes; at least one, so that NULL means out of memory. */
static uint8_t *packed(const ProtobufCMessage *in, size_t *ret_len)
{
\tsize_t len = protobuf_c_message_get_packed_size(in);
\tuint8_t *p = malloc(len ? len : 1);

\tif (p)
\t\t*ret_len = protobuf_c_message_pack(in, p);
\treturn p;
}

/* Requests may hold secrets. */
static void wipe_free(uint8_t *p, size_t len)
{
\texplicit_bzero(p, len);
\tfree(p);
}

/* An answer that is no message of its type counts as the server's failure. */
static void unpack_reply(const ProtobufCMessageDescriptor *desc, struct qm_reply *reply,
\t\t\t ProtobufCMessage **ret_out)
{
\t*ret_out = NULL;
\tif (reply->status.code != GRPC_OK)
\t\treturn;
\t*ret_out = unpack_message(desc, NULL, reply->message, reply->len);
\tif (!*ret_out)
\t\tstatus_set(&reply->status, ERR_INTERNAL, "the answer is no %s", desc->name);
}

static int unary(struct qm_client *client, const char *path, unsigned traits,
\t\t const struct qm_call_options *options, const ProtobufCMessage *in,
\t\t struct qm_reply *ret_reply)
{
\tstruct qm_call_options o = merged(options, traits);
\tsize_t len = 0;
\tuint8_t *p = packed(in, &len);
\tint r;

\tif (!p)
\t\treturn -ENOMEM;
\tr = qm_unary(client, path, p, len, &o, ret_reply);
\twipe_free(p, len);
\treturn r;
}

static int start(struct qm_client *client, const char *path, unsigned traits,
\t\t const struct qm_call_options *options, const ProtobufCMessage *in,
\t\t const struct qm_handler *handler, void *arg, struct qm_call **ret_call)
{
\tstruct qm_call_options o = merged(options, traits);
\tsize_t len = 0;
\tuint8_t *p = packed(in, &len);
\tint r;

\tif (!p)
\t\treturn -ENOMEM;
\tr = qm_start(client, path, p, len, &o, handler, arg, ret_call);
\twipe_free(p, len);
\treturn r;
}
"""


SEND_HELPER = """
static int send(struct qm_call *call, const ProtobufCMessage *in)
{
\tsize_t len = 0;
\tuint8_t *p = packed(in, &len);
\tint r;

\tif (!p)
\t\treturn -ENOMEM;
\tr = qm_call_send(call, p, len);
\twipe_free(p, len);
\treturn r;
}
"""


def c_bool(value):
    return "true" if value else "false"


def traits(contract, method):
    words = ["IDEMPOTENT"] * bool(method.policy.idempotent) + ["SECRET"] * keeps_secret(contract, method)
    return " | ".join(words) or "0"


def unary_signature(method):
    return (f"int qm_{stub_name(method)}(struct qm_client *client, "
            "const struct qm_call_options *options,\n"
            f"\t\tconst {type_name(method.input)} *in, struct qm_reply *ret_reply,\n"
            f"\t\t{type_name(method.output)} **ret_out)")


def stream_signature(method):
    return (f"int qm_{stub_name(method)}_start(struct qm_client *client,\n"
            "\t\tconst struct qm_call_options *options,\n"
            f"\t\tconst {type_name(method.input)} *in, const struct qm_handler *handler,\n"
            "\t\tvoid *arg, struct qm_call **ret_call)")


def open_signature(method):
    return (f"int qm_{stub_name(method)}_open(struct qm_client *client,\n"
            "\t\tconst struct qm_call_options *options, const struct qm_handler *handler,\n"
            "\t\tvoid *arg, struct qm_call **ret_call)")


def send_signature(method):
    return (f"int qm_{stub_name(method)}_send(struct qm_call *call,\n"
            f"\t\tconst {type_name(method.input)} *in)")


def signatures(method):
    if method.client_streaming:
        return [open_signature(method), send_signature(method)]
    return [stream_signature(method) if method.server_streaming else unary_signature(method)]


def stubs_header(contract):
    methods = list(contract.methods())
    rows = []
    for method in methods:
        rows.append(f"/* {method.path} */\n")
        rows.extend(signature + ";\n" for signature in signatures(method))
    body = (HEADER_WORDS + '#include "client/qmesh.h"\n'
            + includes(m for method in methods for m in (method.input, method.output))
            + "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n" + "".join(rows)
            + "\n#ifdef __cplusplus\n}\n#endif\n")
    return header("stubs.h", "Client stubs.", body)


def open_body(contract, method):
    return (f"{open_signature(method)}\n{{\n"
            f"\tstruct qm_call_options o = merged(options, {traits(contract, method)});\n\n"
            f"\to.one_answer = {c_bool(not method.server_streaming)};\n"
            f"\treturn qm_open(client, {quote(method.path)}, &o, handler, arg,\n"
            "\t\t       ret_call);\n}\n"
            f"\n{send_signature(method)}\n{{\n"
            "\treturn send(call, &in->base);\n}\n")


def stub_body(contract, method):
    words = traits(contract, method)
    if method.client_streaming:
        return open_body(contract, method)
    if method.server_streaming:
        return (f"{stream_signature(method)}\n{{\n"
                f"\treturn start(client, {quote(method.path)}, {words}, options,\n"
                "\t\t     &in->base, handler, arg, ret_call);\n}\n")
    return (f"{unary_signature(method)}\n{{\n"
            f"\tint r = unary(client, {quote(method.path)}, {words}, options,\n"
            "\t\t      &in->base, ret_reply);\n\n"
            "\tif (r == 0)\n"
            f"\t\tunpack_reply(&{lower_name(method.output)}__descriptor, ret_reply,\n"
            "\t\t\t     (ProtobufCMessage **)ret_out);\n"
            "\treturn r;\n}\n")


def emit_stubs(contract):
    methods = list(contract.methods())
    helpers = HELPERS
    if any(method.client_streaming for method in methods):
        helpers += SEND_HELPER
    source = (banner("Client stubs.") + '#include "gen/rpc/stubs.h"\n' + helpers + "\n"
              + "\n".join(stub_body(contract, method) for method in methods))
    return {"rpc/stubs.h": stubs_header(contract), "rpc/stubs.c": source}
