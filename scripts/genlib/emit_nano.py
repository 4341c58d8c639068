# SPDX-License-Identifier: Apache-2.0
"""gen/nano: the phone's contract as one small .proto with nanopb options (so
that an app may run its own nanopb over it), and typed calls: message to framed
bytes and back, without heap."""

from pathlib import Path

from contract import F
from contract_check import stub_name
from emit import banner, header, quote
from mobile_subset import Subset

BOUNDS = Path(__file__).resolve().parent.parent.parent / "proto" / "mobile.bounds"
SCALARS = {
    F.TYPE_DOUBLE: "double", F.TYPE_FLOAT: "float", F.TYPE_INT64: "int64",
    F.TYPE_UINT64: "uint64", F.TYPE_INT32: "int32", F.TYPE_FIXED64: "fixed64",
    F.TYPE_FIXED32: "fixed32", F.TYPE_BOOL: "bool", F.TYPE_STRING: "string",
    F.TYPE_BYTES: "bytes", F.TYPE_UINT32: "uint32", F.TYPE_SFIXED32: "sfixed32",
    F.TYPE_SFIXED64: "sfixed64", F.TYPE_SINT32: "sint32", F.TYPE_SINT64: "sint64",
}

HEADER_WORDS = """/*
 * Typed calls for a phone: no heap, sockets, clock or threads. The app brings
 * HTTP/2; these turn a message into the body of the request (5 bytes of gRPC
 * frame and the message) and one frame of the answer into a message.
 *
 * encode: false when buf is too small; QMN_*_REQUEST_MAX is always enough, and
 *   QMN_*_ANSWER_MAX for what a server of this contract sends (a later one may
 *   send fields that this phone skips).
 * decode: exactly one whole frame, as qmn_frame_next cuts it out. false: not
 *   a message of this type, or more than it can hold; *ret_out is all zero.
 * Buffers and messages that held a secret are the caller's to qmn_wipe.
 */
"""

HEADER_FRAME = """
#define QMN_FRAME_LEN 5

/*
 * The first frame in the bytes received so far: 1 and its length with header
 * in *ret_len; 0: not whole yet; -1: no frame of ours (compressed, or larger
 * than max bytes).
 */
int qmn_frame_next(const uint8_t *p, size_t len, size_t max, size_t *ret_len);
/* Zeroes memory that held a secret; the compiler does not drop it. */
void qmn_wipe(void *p, size_t len);
"""

SOURCE_HELPERS = """
#include <pb_decode.h>
#include <pb_encode.h>
#include <string.h>

void qmn_wipe(void *p, size_t len)
{
\tvolatile uint8_t *v = p;

\twhile (len--)
\t\t*v++ = 0;
}

int qmn_frame_next(const uint8_t *p, size_t len, size_t max, size_t *ret_len)
{
\tuint32_t body;

\tif (len > 0 && p[0] != 0)
\t\treturn -1;
\tif (len < QMN_FRAME_LEN)
\t\treturn 0;
\tbody = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
\tif (max < QMN_FRAME_LEN || body > max - QMN_FRAME_LEN)
\t\treturn -1;
\tif (len - QMN_FRAME_LEN < body)
\t\treturn 0;
\t*ret_len = QMN_FRAME_LEN + (size_t)body;
\treturn 1;
}

static bool encode(const pb_msgdesc_t *desc, const void *in, uint8_t *buf, size_t cap,
\t\t   size_t *ret_len)
{
\tpb_ostream_t out;
\tuint32_t body;

\tif (cap < QMN_FRAME_LEN)
\t\treturn false;
\tout = pb_ostream_from_buffer(buf + QMN_FRAME_LEN, cap - QMN_FRAME_LEN);
\tif (!pb_encode(&out, desc, in) || out.bytes_written > UINT32_MAX) {
\t\tqmn_wipe(buf, cap);
\t\treturn false;
\t}
\tbody = (uint32_t)out.bytes_written;
\tbuf[0] = 0;
\tbuf[1] = (uint8_t)(body >> 24);
\tbuf[2] = (uint8_t)(body >> 16);
\tbuf[3] = (uint8_t)(body >> 8);
\tbuf[4] = (uint8_t)body;
\t*ret_len = QMN_FRAME_LEN + (size_t)body;
\treturn true;
}

static bool decode(const pb_msgdesc_t *desc, const uint8_t *buf, size_t len, void *ret_out,
\t\t   size_t size)
{
\tpb_istream_t in;
\tsize_t whole;

\tmemset(ret_out, 0, size);
\tif (qmn_frame_next(buf, len, len, &whole) != 1 || whole != len)
\t\treturn false;
\tin = pb_istream_from_buffer(buf + QMN_FRAME_LEN, len - QMN_FRAME_LEN);
\tif (pb_decode(&in, desc, ret_out))
\t\treturn true;
\tqmn_wipe(ret_out, size);
\treturn false;
}
"""


def field_type(field):
    if field.target:
        return field.target.name.replace(".", "_")
    return SCALARS[field.type]


def field_line(field, indent):
    if field.is_map:
        key, value = field.target.sorted_fields()
        kind = f"map<{field_type(key)}, {field_type(value)}>"
    else:
        kind = ("repeated " if field.repeated else "") + field_type(field)
    return f"{indent}{kind} {field.name} = {field.number};\n"


def message_text(subset, message):
    lines = []
    shown = set()
    for field in subset.fields(message):
        if not field.in_oneof:
            lines.append(field_line(field, "  "))
        elif field.oneof_index not in shown:
            shown.add(field.oneof_index)
            inner = "".join(field_line(other, "    ") for other in subset.fields(message)
                            if other.oneof_index == field.oneof_index)
            lines.append(f"  oneof {message.oneofs[field.oneof_index]} {{\n{inner}  }}\n")
    return f"message {message.name.replace('.', '_')} {{\n{''.join(lines)}}}\n"


def enum_text(enum):
    prefix = enum.name.replace(".", "_")
    values = "".join(f"  {name} = {number};\n" for name, number in enum.values)
    return f"enum {prefix} {{\n{values}}}\n"


def proto_text(subset):
    parts = [enum_text(enum) for enum in subset.enums()]
    parts += [message_text(subset, m) for m in subset.messages() if not m.map_entry]
    return ("// SPDX-License-Identifier: Apache-2.0\n"
            "// The phone's part of the contract. Made from proto/ by scripts/gen; never edited.\n"
            'syntax = "proto3";\n\npackage qmn;\n\n' + "\n".join(parts))


def options_text(subset):
    lines = ["# SPDX-License-Identifier: Apache-2.0\n",
             "# Bounds for nanopb. Made from proto/ by scripts/gen; never edited.\n"]
    for message in subset.messages():
        for field in subset.fields(message):
            words = []
            if subset.max_len(field):
                # nanopb counts the NUL of strings in max_size, not in max_length.
                word = "max_length" if field.type == F.TYPE_STRING else "max_size"
                words.append(f"{word}:{subset.max_len(field)}")
            if subset.max_items(field):
                words.append(f"max_count:{subset.max_items(field)}")
            if words:
                name = f"qmn.{message.name}.{field.name}"
                lines.append(f"{name} {' '.join(words)}\n")
    return "".join(lines)


def c_type(message):
    return "qmn_" + message.name.replace(".", "_")


def encode_signature(method):
    return (f"bool qmn_{stub_name(method)}_encode(const {c_type(method.input)} *in, uint8_t *buf,\n"
            "\t\tsize_t cap, size_t *ret_len)")


def decode_signature(method):
    return (f"bool qmn_{stub_name(method)}_decode(const uint8_t *buf, size_t len,\n"
            f"\t\t{c_type(method.output)} *ret_out)")


def dropped_len(subset, method):
    """Bytes of the fields that the phone skips but is sent all the same."""
    lens = [field.rule.max_len for message in subset.contract.reachable([method.output])
            for field in message.fields if field.full_name in subset.dropped]
    return "".join(f" + {length} + 8" for length in lens)


def calls_header(subset):
    rows = []
    for method in subset.methods:
        upper = stub_name(method).upper()
        rows.append(f"\n#define QMN_{upper}_PATH {quote(method.path)}\n"
                    f"#define QMN_{upper}_REQUEST_MAX "
                    f"(QMN_FRAME_LEN + {c_type(method.input)}_size)\n"
                    f"#define QMN_{upper}_ANSWER_MAX "
                    f"(QMN_FRAME_LEN + {c_type(method.output)}_size{dropped_len(subset, method)})\n"
                    f"{encode_signature(method)};\n{decode_signature(method)};\n")
    body = (HEADER_WORDS + "#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n\n"
            '#include "gen/nano/qmn.pb.h"\n'
            '\n#ifdef __cplusplus\nextern "C" {\n#endif\n'
            + HEADER_FRAME + "".join(rows)
            + "\n#ifdef __cplusplus\n}\n#endif\n")
    return header("qmn_calls.h", "Calls of a phone.", body)


def calls_source(subset):
    bodies = []
    for method in subset.methods:
        bodies.append(
            f"\n{encode_signature(method)}\n{{\n"
            f"\treturn encode(&{c_type(method.input)}_msg, in, buf, cap, ret_len);\n}}\n"
            f"\n{decode_signature(method)}\n{{\n"
            f"\treturn decode(&{c_type(method.output)}_msg, buf, len, ret_out, "
            "sizeof(*ret_out));\n}\n")
    return (banner("Calls of a phone.") + '#include "gen/nano/qmn_calls.h"\n' + SOURCE_HELPERS
            + "".join(bodies))


class SubsetError(Exception):
    """Complaints about proto/mobile.bounds."""


def emit_nano(contract, bounds=None):
    path = Path(bounds) if bounds else BOUNDS
    subset = Subset(contract, path.read_text(), path.name)
    if subset.complaints:
        raise SubsetError("\n".join(subset.complaints))
    return {
        "nano/qmn.proto": proto_text(subset),
        "nano/qmn.options": options_text(subset),
        "nano/qmn_calls.h": calls_header(subset),
        "nano/qmn_calls.c": calls_source(subset),
    }
