# SPDX-License-Identifier: Apache-2.0
"""The contract as the generator sees it: files, messages, services, methods,
routes, with our options decoded and the source line of each thing."""

import re

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

F = descriptor_pb2.FieldDescriptorProto
NUMBERS = {
    F.TYPE_DOUBLE, F.TYPE_FLOAT, F.TYPE_INT64, F.TYPE_UINT64, F.TYPE_INT32, F.TYPE_FIXED64,
    F.TYPE_FIXED32, F.TYPE_UINT32, F.TYPE_SFIXED32, F.TYPE_SFIXED64, F.TYPE_SINT32,
    F.TYPE_SINT64,
}
TEXTS = {F.TYPE_STRING, F.TYPE_BYTES}
# Messages that exist only as the types of options.
OPTION_MESSAGES = {"quazzar.rpc.v1.MethodPolicy", "quazzar.rpc.v1.FieldRule"}


class Place:
    """Where in proto/ something stands."""

    def __init__(self, file, line):
        self.file = file
        self.line = line

    def __str__(self):
        return f"{self.file}:{self.line}"


def snake(name):
    """CreateDevice -> create_device, WhoAmI -> who_am_i."""
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


def camel(name):
    """mesh_ip -> meshIp, as protobuf's JSON mapping says."""
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


class Field:
    def __init__(self, message, proto, place, comment, rule):
        self.message = message
        self.name = proto.name
        self.number = proto.number
        self.type = proto.type
        self.type_name = proto.type_name.lstrip(".")
        self.repeated = proto.label == F.LABEL_REPEATED
        self.in_oneof = proto.HasField("oneof_index")
        self.oneof_index = proto.oneof_index if self.in_oneof else -1
        self.proto3_optional = proto.proto3_optional
        self.place = place
        self.comment = comment
        self.rule = rule
        self.target = None  # Message or Enum

    @property
    def is_map(self):
        return self.repeated and isinstance(self.target, Message) and self.target.map_entry

    @property
    def full_name(self):
        return f"{self.message.full_name}.{self.name}"


class Message:
    def __init__(self, file, full_name, proto, place, comment):
        self.file = file
        self.full_name = full_name
        self.name = full_name[len(file.package) + 1:]
        self.map_entry = proto.options.map_entry
        self.place = place
        self.comment = comment
        self.oneofs = [oneof.name for oneof in proto.oneof_decl]
        self.fields = []

    def sorted_fields(self):
        """In protobuf-c's order: by number."""
        return sorted(self.fields, key=lambda field: field.number)

    def field(self, name):
        return next((field for field in self.fields if field.name == name), None)


class Enum:
    def __init__(self, file, full_name, proto, place, comment, value_comments):
        self.file = file
        self.full_name = full_name
        self.name = full_name[len(file.package) + 1:]
        self.place = place
        self.comment = comment
        self.values = [(value.name, value.number) for value in proto.value]
        self.value_comments = value_comments


class Route:
    def __init__(self, method, verb, pattern, body, response_body, place):
        self.method = method
        self.verb = verb
        self.pattern = pattern
        self.body = body
        self.response_body = response_body
        self.place = place

    def variables(self):
        return re.findall(r"\{([^}]*)\}", self.pattern)

    def shape(self):
        """Two routes with the same shape match the same requests."""
        return self.verb, re.sub(r"\{[^}]*\}", "{}", self.pattern)


class Method:
    def __init__(self, service, index, proto, place, comment):
        self.service = service
        self.index = index
        self.name = proto.name
        self.snake = snake(proto.name)
        self.input_name = proto.input_type.lstrip(".")
        self.output_name = proto.output_type.lstrip(".")
        self.input = self.output = None
        self.client_streaming = proto.client_streaming
        self.server_streaming = proto.server_streaming
        self.place = place
        self.comment = comment
        self.policy = None
        self.routes = []

    @property
    def path(self):
        return f"/{self.service.full_name}/{self.name}"

    @property
    def kind(self):
        return {
            (False, False): "METHOD_UNARY",
            (False, True): "METHOD_SERVER_STREAM",
            (True, False): "METHOD_CLIENT_STREAM",
            (True, True): "METHOD_BIDI",
        }[self.client_streaming, self.server_streaming]


class Service:
    def __init__(self, file, proto, place, comment):
        self.file = file
        self.name = proto.name
        self.full_name = f"{file.package}.{proto.name}"
        version = file.package.rsplit(".", 1)[-1]
        stem = snake(proto.name) + (f"_{version}" if version.startswith("v1alpha") else "")
        self.stem = stem if stem.endswith("_service") else stem + "_service"
        self.short = self.stem[: -len("_service")]
        self.place = place
        self.comment = comment
        self.methods = []


class File:
    def __init__(self, proto):
        self.name = proto.name
        self.package = proto.package
        self.proto = proto
        self.services = []
        locations = proto.source_code_info.location
        self.locations = {tuple(location.path): location for location in locations}

    def place(self, path):
        while path and tuple(path) not in self.locations:
            path = path[:-1]
        location = self.locations.get(tuple(path))
        return Place(self.name, location.span[0] + 1 if location else 1)

    def comment(self, path):
        location = self.locations.get(tuple(path))
        text = (location.leading_comments or location.trailing_comments) if location else ""
        return " ".join(line.strip() for line in text.strip().splitlines())


class Options:
    """Reads custom options through the extensions that the request itself declares."""

    def __init__(self, files):
        pool = descriptor_pool.DescriptorPool()
        names = {file.name for file in files}
        if "google/protobuf/descriptor.proto" not in names:
            raw = descriptor_pb2.FileDescriptorProto()
            descriptor_pb2.DESCRIPTOR.CopyToProto(raw)
            pool.Add(raw)
        for file in files:
            copy = descriptor_pb2.FileDescriptorProto()
            copy.CopyFrom(file)
            copy.ClearField("source_code_info")
            pool.Add(copy)
        self.pool = pool
        self.factory = message_factory.MessageFactory(pool)

    def read(self, kind, options, extension_name):
        try:
            extension = self.pool.FindExtensionByName(extension_name)
        except KeyError:
            return None
        descriptor = self.pool.FindMessageTypeByName(f"google.protobuf.{kind}")
        parsed = self.factory.GetPrototype(descriptor)()
        self.factory.GetPrototype(extension.message_type)
        parsed.ParseFromString(options.SerializeToString())
        return parsed.Extensions[extension] if parsed.HasExtension(extension) else None


class Contract:
    def __init__(self, protos):
        self.options = Options(protos)
        self.files = [File(proto) for proto in protos]
        self.messages = {}
        self.enums = {}
        self.services = []
        for file in self.files:
            self.load_file(file)
        self.resolve()

    def load_file(self, file):
        for index, proto in enumerate(file.proto.enum_type):
            self.load_enum(file, file.package, proto, [5, index])
        for index, proto in enumerate(file.proto.message_type):
            self.load_message(file, file.package, proto, [4, index])
        for index, proto in enumerate(file.proto.service):
            self.load_service(file, proto, [6, index])

    def load_enum(self, file, prefix, proto, path):
        name = f"{prefix}.{proto.name}"
        comments = [file.comment(path + [2, i]) for i in range(len(proto.value))]
        self.enums[name] = Enum(file, name, proto, file.place(path), file.comment(path), comments)

    def load_message(self, file, prefix, proto, path):
        name = f"{prefix}.{proto.name}"
        message = Message(file, name, proto, file.place(path), file.comment(path))
        self.messages[name] = message
        for index, field in enumerate(proto.field):
            where = path + [2, index]
            rule = self.options.read("FieldOptions", field.options, "quazzar.rpc.v1.rule")
            message.fields.append(
                Field(message, field, file.place(where), file.comment(where), rule))
        for index, enum in enumerate(proto.enum_type):
            self.load_enum(file, name, enum, path + [4, index])
        for index, nested in enumerate(proto.nested_type):
            self.load_message(file, name, nested, path + [3, index])

    def load_service(self, file, proto, path):
        service = Service(file, proto, file.place(path), file.comment(path))
        self.services.append(service)
        file.services.append(service)
        for index, method_proto in enumerate(proto.method):
            where = path + [2, index]
            method = Method(service, index, method_proto, file.place(where), file.comment(where))
            options = method_proto.options
            method.policy = self.options.read("MethodOptions", options, "quazzar.rpc.v1.policy")
            http = self.options.read("MethodOptions", options, "google.api.http")
            if http is not None:
                self.load_routes(method, http)
            service.methods.append(method)

    def load_routes(self, method, http):
        for rule in [http, *http.additional_bindings]:
            verb = rule.WhichOneof("pattern") or ""
            pattern = getattr(rule, verb) if verb else ""
            method.routes.append(
                Route(method, verb.upper(), pattern, rule.body, rule.response_body,
                      method.place))

    def resolve(self):
        for message in self.messages.values():
            for field in message.fields:
                if field.type_name:
                    field.target = (self.messages.get(field.type_name) or
                                    self.enums.get(field.type_name))
        for service in self.services:
            for method in service.methods:
                method.input = self.messages[method.input_name]
                method.output = self.messages[method.output_name]

    def methods(self):
        for service in self.services:
            yield from service.methods

    def routes(self):
        for method in self.methods():
            yield from method.routes

    def reachable(self, roots):
        """The messages inside these, each once, in order of first sight."""
        seen = {}
        todo = list(roots)
        while todo:
            message = todo.pop(0)
            if message.full_name in seen:
                continue
            seen[message.full_name] = message
            todo.extend(field.target for field in message.fields
                        if isinstance(field.target, Message))
        return list(seen.values())

    def call_messages(self):
        """Every message that may travel: ours, and what they hold."""
        own = [m for m in self.messages.values()
               if m.file.package.startswith(("quazzar.", "grpc.", "coredns."))
               and m.full_name not in OPTION_MESSAGES]
        roots = [m for method in self.methods() for m in (method.input, method.output)]
        return self.reachable(own + roots)
