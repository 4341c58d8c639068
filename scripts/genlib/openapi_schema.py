# SPDX-License-Identifier: Apache-2.0
"""Messages as JSON Schema, the way the REST door writes and reads them: proto
field names, 64-bit numbers as strings, enums by name, RFC 3339 times."""

from contract import F, TEXTS, Message

INT64 = {F.TYPE_INT64, F.TYPE_SINT64, F.TYPE_SFIXED64}
UINT64 = {F.TYPE_UINT64, F.TYPE_FIXED64}
UINT32 = {F.TYPE_UINT32, F.TYPE_FIXED32}
FORMATS = {"uuid": "uuid", "ip4": "ipv4", "ip6": "ipv6"}
KNOWN = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]{1,9})?s$"},
}


def schema_name(thing):
    """Ours by their own name, those of others by package too."""
    ours = thing.file.package.startswith("quazzar.")
    return thing.name if ours else thing.full_name


def reference(thing):
    return {"$ref": f"#/components/schemas/{schema_name(thing)}"}


def least_chars(field):
    """Our lengths are bytes of UTF-8; JSON Schema counts characters."""
    rule = field.rule
    if not rule or not rule.min_len:
        return 1 if rule and rule.required else 0
    return rule.min_len if rule.shape else (rule.min_len + 3) // 4


def text_schema(field):
    rule = field.rule
    schema = {"type": "string"}
    if field.type == F.TYPE_BYTES:
        schema["contentEncoding"] = "base64"
        if rule and rule.max_len:
            schema["maxLength"] = (rule.max_len + 2) // 3 * 4
        return schema
    if not rule:
        return schema
    if rule.shape in FORMATS and rule.min_len:
        schema["format"] = FORMATS[rule.shape]
    if least_chars(field):
        schema["minLength"] = least_chars(field)
    if rule.max_len:
        schema["maxLength"] = rule.max_len
    return schema


def number_schema(field):
    rule = field.rule
    ranged = rule and (rule.min or rule.max)
    if field.type in INT64 or field.type in UINT64:
        sign = "" if field.type in UINT64 else "-?"
        return {"type": "string", "pattern": f"^{sign}[0-9]{{1,20}}$"}
    if field.type in (F.TYPE_DOUBLE, F.TYPE_FLOAT):
        schema = {"type": "number"}
        low, high = None, None
    elif field.type in UINT32:
        schema = {"type": "integer"}
        low, high = 0, 4294967295
    else:
        schema = {"type": "integer"}
        low, high = -2147483648, 2147483647
    if ranged:
        low, high = rule.min, rule.max
    if low is not None:
        schema["minimum"], schema["maximum"] = low, high
    return schema


def single_schema(field):
    if isinstance(field.target, Message):
        known = KNOWN.get(field.target.full_name)
        return dict(known) if known else reference(field.target)
    if field.target:
        return reference(field.target)
    if field.type == F.TYPE_BOOL:
        return {"type": "boolean"}
    return text_schema(field) if field.type in TEXTS else number_schema(field)


def may_be_absent(field):
    """A message of an answer that is not there is written as null."""
    return (isinstance(field.target, Message) and not field.repeated and not field.in_oneof
            and not is_required(field) and not field.message.name.endswith("Request"))


def or_null(schema):
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


def field_schema(field, alone=False):
    """alone: the field is the whole body, which is an object in any case."""
    if field.is_map:
        key, value = field.target.sorted_fields()
        schema = {"type": "object", "maxProperties": field.rule.max_items}
        if key.type == F.TYPE_STRING:
            schema["propertyNames"] = {"maxLength": field.rule.max_len}
        schema["additionalProperties"] = single_schema(value)
    elif field.repeated:
        schema = {"type": "array", "maxItems": field.rule.max_items if field.rule else 1024,
                  "items": single_schema(field)}
    else:
        schema = single_schema(field)
        if not alone and may_be_absent(field):
            schema = or_null(schema)
    if field.comment:
        schema["description"] = field.comment
    return schema


def is_required(field):
    return bool(field.rule and (field.rule.required or field.rule.min_len))


def message_schema(message, without=()):
    fields = [field for field in message.fields if field.name not in without]
    schema = {"type": "object"}
    if message.comment:
        schema["description"] = message.comment
    schema["properties"] = {field.name: field_schema(field) for field in fields}
    if message.name.endswith("Request"):
        # The door answers 400 and names the member that it does not know.
        schema["additionalProperties"] = False
    required = [field.name for field in fields if is_required(field)]
    if required:
        schema["required"] = required
    return schema


def enum_schema(enum):
    lines = [enum.comment] if enum.comment else []
    lines += [f"{name}: {comment}" for (name, _), comment in zip(enum.values, enum.value_comments)
              if comment]
    schema = {"type": "string"}
    if lines:
        schema["description"] = "\n".join(lines)
    schema["enum"] = [name for name, _ in enum.values]
    return schema
