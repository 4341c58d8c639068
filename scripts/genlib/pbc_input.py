# SPDX-License-Identifier: Apache-2.0
"""The descriptor set that protoc-gen-c is fed with.

protobuf-c 1.4.1 makes closures for services, and an include of a header that
nobody ships for any file that imports descriptor.proto. So services, custom
options, extensions and the imports that only they need are taken out, and the
C names of our own packages are shortened to `Pb__`. The full names inside the
descriptors stay as in proto/.
"""

import re

from google.protobuf import descriptor_pb2

# ProtobufCFileOptions, extension 1019 of FileOptions, field c_package = 6.
PB_C_FILE_FIELD = 1019
C_PACKAGE_FIELD = 6

SHORT_PACKAGES = {"quazzar.mesh.v1": "pb", "quazzar.rpc.v1": "pb"}
DROPPED_FILES = {
    "google/protobuf/descriptor.proto",
    "google/api/annotations.proto",
    "google/api/http.proto",
}
# Messages that exist only as the types of options.
DROPPED_MESSAGES = {".quazzar.rpc.v1.MethodPolicy", ".quazzar.rpc.v1.FieldRule"}


def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append((n & 0x7F) | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def c_package_option(name):
    inner = varint(C_PACKAGE_FIELD << 3 | 2) + varint(len(name)) + name.encode()
    return varint(PB_C_FILE_FIELD << 3 | 2) + varint(len(inner)) + inner


def strip_message(message):
    map_entry = message.options.map_entry
    message.ClearField("options")
    if map_entry:
        message.options.map_entry = True
    del message.extension[:]
    for field in message.field:
        field.ClearField("options")
    for oneof in message.oneof_decl:
        oneof.ClearField("options")
    for enum in message.enum_type:
        strip_enum(enum)
    for nested in message.nested_type:
        strip_message(nested)


def strip_enum(enum):
    enum.ClearField("options")
    for value in enum.value:
        value.ClearField("options")


def kept_locations(source, old_to_new):
    """Comments of messages and enums only, safe inside C comments."""
    kept = []
    for location in source.location:
        path = list(location.path)
        if not path or path[0] not in (4, 5):
            continue
        if path[0] == 4:
            if path[1] not in old_to_new:
                continue
            path[1] = old_to_new[path[1]]
        copy = descriptor_pb2.SourceCodeInfo.Location()
        copy.CopyFrom(location)
        del copy.path[:]
        copy.path.extend(path)
        del copy.leading_detached_comments[:]
        copy.leading_comments = re.sub(r"/\*|\*/", "//", copy.leading_comments)
        copy.ClearField("trailing_comments")
        kept.append(copy)
    return kept


def strip_file(file):
    out = descriptor_pb2.FileDescriptorProto()
    out.CopyFrom(file)
    del out.service[:]
    del out.extension[:]
    out.ClearField("options")
    old_to_new = {}
    for index, message in enumerate(file.message_type):
        if f".{file.package}.{message.name}" not in DROPPED_MESSAGES:
            old_to_new[index] = len(old_to_new)
    del out.message_type[:]
    for index in old_to_new:
        kept = out.message_type.add()
        kept.CopyFrom(file.message_type[index])
        strip_message(kept)
    for enum in out.enum_type:
        strip_enum(enum)
    if file.package in SHORT_PACKAGES:
        out.options.MergeFromString(c_package_option(SHORT_PACKAGES[file.package]))
    locations = kept_locations(file.source_code_info, old_to_new)
    del out.source_code_info.location[:]
    out.source_code_info.location.extend(locations)
    return out


def field_types(message):
    for field in message.field:
        if field.type_name:
            yield field.type_name
    for nested in message.nested_type:
        yield from field_types(nested)


def declared_names(prefix, message):
    yield f"{prefix}.{message.name}"
    for enum in message.enum_type:
        yield f"{prefix}.{message.name}.{enum.name}"
    for nested in message.nested_type:
        yield from declared_names(f"{prefix}.{message.name}", nested)


def drop_unused_imports(files):
    declared = {}
    for file in files:
        prefix = f".{file.package}" if file.package else ""
        for message in file.message_type:
            for name in declared_names(prefix, message):
                declared[name] = file.name
        for enum in file.enum_type:
            declared[f"{prefix}.{enum.name}"] = file.name
    for file in files:
        used = {declared[name] for message in file.message_type for name in field_types(message)}
        kept = [name for name in file.dependency if name in used]
        del file.dependency[:]
        del file.public_dependency[:]
        del file.weak_dependency[:]
        file.dependency.extend(kept)


def strip_set(file_set):
    """FileDescriptorSet -> FileDescriptorSet for protoc-gen-c."""
    out = descriptor_pb2.FileDescriptorSet()
    for file in file_set.file:
        if file.name not in DROPPED_FILES:
            out.file.add().CopyFrom(strip_file(file))
    drop_unused_imports(out.file)
    return out
