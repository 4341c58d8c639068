# SPDX-License-Identifier: Apache-2.0
"""gen/rpc: one handler struct and one method table per service, the routes,
the bounds, the descriptors."""

from google.protobuf import descriptor_pb2

from contract import TEXTS
from emit import banner, descriptor_name, header, includes, quote, quote_or_null, type_name

DEFAULT_BODY_LIMIT = 65536
DEFAULT_UNARY_DEADLINE_MS = 15000


def enum_word(policy, field):
    """AUDIENCE_USER, or a number 0 written as 0."""
    number = getattr(policy, field)
    enum = policy.DESCRIPTOR.fields_by_name[field].enum_type
    return enum.values_by_number[number].name if number else "0"


def method_id(method):
    return f"METHOD_{method.service.short}_{method.snake}".upper()


def http_status(method):
    if method.policy.http_status:
        return method.policy.http_status
    return 200 if method.output.fields else 204


def deadline_ms(method):
    if method.policy.deadline_ms:
        return method.policy.deadline_ms
    return DEFAULT_UNARY_DEADLINE_MS if method.kind == "METHOD_UNARY" else 0


def c_bool(value):
    return "true" if value else "false"


def handler_arguments(method):
    """What a handler of the kind takes beside the call (server/rpc/call.h)."""
    if method.client_streaming:
        return "" if method.server_streaming else f", {type_name(method.output)} *out"
    out = "" if method.server_streaming else f",\n\t\t{type_name(method.output)} *out"
    return f", const {type_name(method.input)} *in{out}"


def service_header(service):
    stem = service.stem
    rows = []
    for method in service.methods:
        rows.append(f"\tint (*{method.snake})(struct call *call{handler_arguments(method)});\n")
    ids = "".join(f"\t{method_id(m)} = {m.index},\n" for m in service.methods)
    count = len(service.methods)
    body = (
        '#include "base/method.h"\n'
        + includes(m for method in service.methods for m in (method.input, method.output))
        + "\nstruct call;\n\n"
        "/* Who answers each method; NULL: nobody. */\n"
        f"struct {stem} {{\n{''.join(rows)}}};\n\n"
        f"/* Indices in {stem}_methods. */\nenum {stem}_method {{\n{ids}}};\n\n"
        f"extern const struct method {stem}_methods[{count}];\n"
        f"extern const struct service {stem}_desc;\n\n"
        f"_Static_assert(sizeof(struct {stem}) == {count} * sizeof(int (*)(void)),\n"
        '\t       "handlers are an array of function pointers");\n\n'
        f"static inline const void *{stem}_handlers(const struct {stem} *h)\n"
        "{\n\treturn h;\n}\n")
    return header(f"{stem}.h", f"{service.full_name}: typed handlers.", body)


def has_secret(contract, message):
    return any(field.rule and field.rule.secret
               for inner in contract.reachable([message]) for field in inner.fields)


def keeps_secret(contract, method):
    return has_secret(contract, method.input) or has_secret(contract, method.output)


def policy_rows(contract, method):
    policy = method.policy
    role_enum = policy.DESCRIPTOR.fields_by_name["roles"].enum_type
    roles = " | ".join(f"ROLE_BIT({role_enum.values_by_number[r].name})" for r in policy.roles)
    return [
        ("audience", enum_word(policy, "audience")),
        ("roles", roles or "0"),
        ("runs_on", enum_word(policy, "runs_on")),
        ("rate", "RATE_WINDOW_NONE" if not policy.rate else enum_word(policy, "rate")),
        ("feature", quote_or_null(policy.feature)),
        ("min_plan", enum_word(policy, "min_plan")),
        ("audit", quote_or_null(policy.audit)),
        ("lane", enum_word(policy, "lane")),
        ("body_limit", str(policy.body_limit or DEFAULT_BODY_LIMIT)),
        ("deadline_ms", str(deadline_ms(method))),
        ("http_status", str(http_status(method))),
        ("idempotent", c_bool(policy.idempotent)),
        ("self_or_admin", c_bool(policy.self_or_admin)),
        ("no_side_effects", c_bool(policy.no_side_effects)),
        ("secret", c_bool(keeps_secret(contract, method))),
    ]


def service_source(contract, service):
    stem = service.stem
    rows = []
    for method in service.methods:
        policy = "".join(f"\t\t\t.{name} = {value},\n" for name, value in policy_rows(contract, method)
                         if value not in ("0", "NULL", "false"))
        rows.append(
            f"\t[{method_id(method)}] = {{\n"
            f"\t\t.path = {quote(method.path)},\n"
            f"\t\t.name = {quote(method.name)},\n"
            f"\t\t.service = &{stem}_desc,\n"
            f"\t\t.index = {method_id(method)},\n"
            f"\t\t.kind = {method.kind},\n"
            f"\t\t.in = &{descriptor_name(method.input)},\n"
            f"\t\t.out = &{descriptor_name(method.output)},\n"
            f"\t\t.policy = {{\n{policy}\t\t}},\n\t}},\n")
    return (banner(f"{service.full_name}: methods and policy.")
            + f'#include "gen/rpc/{stem}.h"\n\n'
            f"const struct method {stem}_methods[{len(service.methods)}] = {{\n"
            f"{''.join(rows)}}};\n\n"
            f"const struct service {stem}_desc = {{\n"
            f"\t.name = {quote(service.full_name)},\n"
            f"\t.methods = {stem}_methods,\n"
            f"\t.n_methods = {len(service.methods)},\n}};\n")


def literal_first(route):
    """Sort key: literal segments before variables, a custom verb before none."""
    pattern, _, custom = route.pattern.rpartition(":") if ":" in route.pattern else (
        route.pattern, "", "")
    segments = [(segment.startswith("{"), segment) for segment in pattern.split("/")[1:]]
    return segments, not custom, custom, route.verb


def routes_header(contract):
    body = ('#include "base/method.h"\n\n'
            "/* Most literal first: the first that matches verb and path is the one. */\n"
            "extern const struct route routes[];\n"
            "extern const size_t n_routes;\n")
    return header("routes.h", "REST routes of every service.", body)


def routes_source(contract):
    found = sorted(contract.routes(), key=literal_first)
    services = sorted({route.method.service.stem for route in found})
    rows = "".join(
        f"\t{{{quote(r.verb)}, {quote(r.pattern)}, &{r.method.service.stem}_methods"
        f"[{method_id(r.method)}], {quote_or_null(r.body)}, {quote_or_null(r.response_body)}}},\n"
        for r in found)
    return (banner("REST routes of every service.")
            + '#include "gen/rpc/routes.h"\n\n'
            + "".join(f'#include "gen/rpc/{stem}.h"\n' for stem in services)
            + f"\nconst struct route routes[] = {{\n{rows}}};\n"
            f"const size_t n_routes = {len(found)};\n")


def rule_row(field, map_rule):
    """One initialiser; map_rule is that of the map when this is a map entry's key."""
    parts = []
    rule = field.rule
    if map_rule is not None and field.number == 1 and field.type in TEXTS:
        parts.append(f".max_len = {map_rule.max_len}")
    if rule:
        lengths = not field.is_map
        for name in ("min_len", "max_len"):
            if getattr(rule, name) and lengths:
                parts.append(f".{name} = {getattr(rule, name)}")
        for name in ("max_items", "min", "max"):
            if getattr(rule, name):
                parts.append(f".{name} = {getattr(rule, name)}")
        if rule.shape:
            parts.append(f".shape = {quote(rule.shape)}")
        for name in ("secret", "required"):
            if getattr(rule, name):
                parts.append(f".{name} = true")
    return ", ".join(parts) or "0"


def map_rules(contract):
    """Rules of maps by the full name of their entry messages."""
    return {field.target.full_name: field.rule for message in contract.call_messages()
            for field in message.fields if field.is_map}


def fnv1a(text):
    value = 2166136261
    for byte in text.encode():
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return value


def rules_table(messages):
    """Open addressing by FNV-1a of the short name; equal pointers end a search."""
    size = 2
    while size < 2 * len(messages):
        size *= 2
    slots = [None] * size
    for message in messages:
        at = fnv1a(message.name.split(".")[-1]) % size
        while slots[at] is not None:
            at = (at + 1) % size
        slots[at] = message
    return slots


RULES_FIND = """
const struct message_rules *rules_find(const ProtobufCMessageDescriptor *desc)
{
\tuint32_t at = 2166136261u;

\tfor (const char *p = desc->short_name; *p; p++)
\t\tat = (at ^ (unsigned char)*p) * 16777619u;
\tfor (at %= N_SLOTS; slots[at].desc; at = (at + 1) % N_SLOTS)
\t\tif (slots[at].desc == desc)
\t\t\treturn &slots[at];
\treturn NULL;
}
"""


def rules_header(contract):
    body = ('#include "base/method.h"\n\n'
            "/*\n * The bounds of a message; NULL for the types of others (google.*), which have\n"
            " * none. Needs no lock.\n */\n"
            "const struct message_rules *rules_find(const ProtobufCMessageDescriptor *desc);\n")
    return header("rules.h", "Field bounds of every message.", body)


def bounded_messages(contract):
    found = [m for m in contract.call_messages() if not m.full_name.startswith("google.")]
    return sorted(found, key=lambda message: message.full_name)


def rules_source(contract):
    messages = bounded_messages(contract)
    of_maps = map_rules(contract)
    arrays = []
    names = {}
    for index, message in enumerate(messages):
        rows = [(field.name, rule_row(field, of_maps.get(message.full_name)))
                for field in message.sorted_fields()]
        if not rows:
            names[message.full_name] = "NULL"
            continue
        names[message.full_name] = f"rules_{index}"
        body = "".join(f"\t{{{row}}}, /* {name} */\n" for name, row in rows)
        arrays.append(f"/* {message.full_name} */\n"
                      f"static const struct field_rule rules_{index}[] = {{\n{body}}};\n")
    slots = rules_table(messages)
    rows = []
    for at, message in enumerate(slots):
        if message is not None:
            rows.append(f"\t[{at}] = {{&{descriptor_name(message)}, "
                        f"{names[message.full_name]}, "
                        f"{c_bool(has_secret(contract, message))}}},\n")
    return (banner("Field bounds of every message.")
            + '#include "gen/rpc/rules.h"\n\n' + includes(messages)
            + f"\n#define N_SLOTS {len(slots)}u\n\n" + "\n".join(arrays)
            + f"\nstatic const struct message_rules slots[N_SLOTS] = {{\n{''.join(rows)}}};\n"
            + RULES_FIND)


def detail_messages(contract):
    """What stands in an Any of ours: details of errors, and what those are made of."""
    found = [m for m in contract.messages.values()
             if m.file.package in ("google.rpc", "google.protobuf") and not m.map_entry
             and not m.file.name.endswith("/descriptor.proto")]
    return sorted(found, key=lambda message: message.full_name)


TYPES_TITLE = "What an Any of ours may hold."


def types_header():
    body = ('#include "base/json.h"\n\n'
            "/* The details of errors by their names. */\n"
            "extern const struct json_types types_known;\n")
    return header("types.h", TYPES_TITLE, body)


def types_source(contract):
    messages = detail_messages(contract)
    rows = "".join(f"\t&{descriptor_name(message)},\n" for message in messages)
    return (banner(TYPES_TITLE)
            + '#include "gen/rpc/types.h"\n\n' + includes(messages)
            + f"\nstatic const ProtobufCMessageDescriptor *const all[] = {{\n{rows}}};\n\n"
            f"const struct json_types types_known = {{.all = all, .n = {len(messages)}}};\n")


def descriptors_header(contract):
    body = (
        "#include <stddef.h>\n#include <stdint.h>\n\n"
        "/* A FileDescriptorSet with all options, imports before importers. */\n"
        "extern const uint8_t descriptors[];\n"
        "extern const size_t descriptors_len;\n\n"
        "/* One FileDescriptorProto inside it. */\n"
        "struct descriptor_file {\n\tconst char *name;\n\tconst uint8_t *p;\n\tsize_t len;\n};\n\n"
        "extern const struct descriptor_file descriptor_files[];\n"
        "extern const size_t n_descriptor_files;\n")
    return header("descriptors.h", "The contract itself, for reflection.", body)


def varint_len(number):
    return max(1, (number.bit_length() + 6) // 7)


def descriptors_source(contract):
    file_set = descriptor_pb2.FileDescriptorSet()
    files = []
    at = 0
    for file in contract.files:
        copy = file_set.file.add()
        copy.CopyFrom(file.proto)
        copy.ClearField("source_code_info")
        size = copy.ByteSize()
        at += 1 + varint_len(size)
        files.append((file.name, at, size))
        at += size
    data = file_set.SerializeToString(deterministic=True)
    assert len(data) == at
    lines = []
    for start in range(0, len(data), 20):
        lines.append("\t" + ",".join(str(b) for b in data[start:start + 20]) + ",\n")
    rows = "".join(f"\t{{{quote(name)}, descriptors + {start}, {size}}},\n"
                   for name, start, size in files)
    return (banner("The contract itself, for reflection.")
            + '#include "gen/rpc/descriptors.h"\n\n'
            f"const uint8_t descriptors[] = {{\n{''.join(lines)}}};\n"
            f"const size_t descriptors_len = {len(data)};\n\n"
            f"const struct descriptor_file descriptor_files[] = {{\n{rows}}};\n"
            f"const size_t n_descriptor_files = {len(files)};\n")


def emit_tables(contract):
    """Path in gen/ -> text."""
    out = {}
    for service in contract.services:
        out[f"rpc/{service.stem}.h"] = service_header(service)
        out[f"rpc/{service.stem}.c"] = service_source(contract, service)
    out["rpc/routes.h"] = routes_header(contract)
    out["rpc/routes.c"] = routes_source(contract)
    out["rpc/rules.h"] = rules_header(contract)
    out["rpc/rules.c"] = rules_source(contract)
    out["rpc/types.h"] = types_header()
    out["rpc/types.c"] = types_source(contract)
    out["rpc/descriptors.h"] = descriptors_header(contract)
    out["rpc/descriptors.c"] = descriptors_source(contract)
    return out
