# SPDX-License-Identifier: Apache-2.0
"""Small things that every emitter needs: banner, C names, C literals."""

import re

REGENERATE = "scripts/gen"


def banner(what):
    return ("/* SPDX-License-Identifier: Apache-2.0 */\n"
            f"/* {what} Made from proto/ by {REGENERATE}; never edited. */\n")


def quote(text):
    out = []
    for byte in text.encode():
        char = chr(byte)
        if char in "\"\\":
            out.append("\\" + char)
        elif 32 <= byte < 127:
            out.append(char)
        else:
            out.append(f"\\{byte:03o}")
    return '"' + "".join(out) + '"'


def quote_or_null(text):
    return quote(text) if text else "NULL"


def c_package(package):
    return "pb" if package in ("quazzar.mesh.v1", "quazzar.rpc.v1") else package


def lower_part(part):
    out = ""
    was_upper = True
    for char in part:
        is_upper = char.isupper()
        if is_upper and not was_upper:
            out += "_"
        out += char.lower()
        was_upper = is_upper
    return out


def type_name(message):
    """Pb__CreateDeviceRequest."""
    parts = c_package(message.file.package).split(".") + message.name.split(".")
    return "__".join(part[:1].upper() + part[1:] for part in parts)


def lower_name(message):
    """pb__create_device_request."""
    parts = c_package(message.file.package).split(".") + message.name.split(".")
    return "__".join(lower_part(part) for part in parts)


def descriptor_name(message):
    return lower_name(message) + "__descriptor"


def header_of(file_name):
    return file_name[: -len(".proto")] + ".pb-c.h"


def includes(messages):
    names = sorted({header_of(message.file.name) for message in messages})
    return "".join(f'#include "{name}"\n' for name in names)


def guard(path):
    return "QM_GEN_" + re.sub(r"[^A-Z0-9]", "_", path.upper())


def header(path, what, body):
    name = guard(path)
    return f"{banner(what)}#ifndef {name}\n#define {name}\n\n{body}\n#endif\n"
