# SPDX-License-Identifier: Apache-2.0
"""The contract as data, and one way to ask by each protocol.

METHODS is read from the descriptor set that protoc makes of proto/: policy and
routes of every method, nothing written twice. ask() makes one call over gRPC,
Connect or REST and gives back an Answer: the reason, and everything that came,
so that two answers can be compared byte by byte.
"""
import base64
import http.client
import json
import re
import socket
import struct
from collections import namedtuple
from urllib.parse import urlencode

import grpc
from google.protobuf import json_format

import meshrpc
from meshrpc import FDS, POOL, msg

PROTOCOLS = ("gRPC", "Connect", "REST")
VOLATILE = {"date", "connection", "transfer-encoding"}
REQUEST_ID = "matrix-1"
PLACES = {1: "NODE", 2: "CP", 3: "FORWARD", 4: "BOTH"}
AUDIENCES = {1: "PUBLIC", 2: "USER", 3: "AGENT", 4: "OPERATOR"}
ROLES = {1: "MEMBER", 2: "AUDITOR", 3: "ADMIN"}

Method = namedtuple("Method", "name service path input output stream policy routes")
Answer = namedtuple("Answer", "reason compare raw message", defaults=(b"",))


def _options(method):
    """(policy, routes) of a method; the extensions are found through the pool."""
    policy_ext = POOL.FindExtensionByName("quazzar.rpc.v1.policy")
    http_ext = POOL.FindExtensionByName("google.api.http")
    options = msg("google.protobuf.MethodOptions")
    for ext in (policy_ext, http_ext):
        type(options).RegisterExtension(ext)
    options.ParseFromString(method.options.SerializeToString())
    rule, routes = options.Extensions[http_ext], []
    for binding in [rule, *rule.additional_bindings]:
        verb = binding.WhichOneof("pattern")
        if verb:
            routes.append((verb.upper(), getattr(binding, verb)))
    return options.Extensions[policy_ext], routes


def _methods():
    found = {}
    for file in FDS.file:
        if file.package not in (meshrpc.PACKAGE[:-1], "coredns.dns"):
            continue
        for service in file.service:
            for m in service.method:
                policy, routes = _options(m)
                found[f"{service.name}.{m.name}"] = Method(
                    m.name, service.name, f"/{file.package}.{service.name}/{m.name}", m.input_type[1:],
                    m.output_type[1:], m.server_streaming, policy, routes)
    return found


METHODS = _methods()


def _info(details):
    """The reason among the details of a google.rpc.Status, and all of them in words."""
    reason, words = None, []
    for any_ in details:
        detail = msg(any_.type_url.split("/")[-1])
        detail.ParseFromString(any_.value)
        reason = getattr(detail, "reason", None) or reason
        words.append(str(detail))
    return reason, words


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=90)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(90)
        self.sock.connect(self.path)


class Door:
    """How one caller reaches one daemon: its credentials as headers, its own loopback address."""

    def __init__(self, daemon, metadata=(), path=None, address=None):
        self.daemon, self.metadata, self.socket, self.address = daemon, list(metadata), path, address
        target = "unix:" + path if path else f"127.0.0.1:{daemon.port}"
        self.channel = grpc.insecure_channel(target, [("grpc.enable_retries", 0),
                                                      ("grpc.use_local_subchannel_pool", 1)])
        self.http = None

    def close(self):
        self.channel.close()
        if self.http:
            self.http.close()

    def connection(self):
        if not self.http and self.socket:
            self.http = UnixConnection(self.socket)
        elif not self.http:
            source = (self.address, 0) if self.address else None
            self.http = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=90,
                                                   source_address=source)
        return self.http


def _text_of(headers):
    return sorted((k.lower(), v) for k, v in headers if k.lower() not in VOLATILE)


def _ask_grpc(door, method, fields, metadata):
    request = msg(method.input, **fields).SerializeToString()
    kind = door.channel.unary_stream if method.stream else door.channel.unary_unary
    stub = kind(method.path, request_serializer=lambda b: b, response_deserializer=lambda b: b)
    metadata = door.metadata + [("x-request-id", REQUEST_ID)] + list(metadata)
    try:
        if method.stream:
            call = stub(request, timeout=90, metadata=metadata)
            raw = next(call)
            call.cancel()
            return Answer("OK", None, raw)
        raw, call = stub.with_call(request, timeout=90, metadata=metadata)
        return Answer("OK", None, raw + str(call.initial_metadata()).encode(), raw)
    except grpc.RpcError as e:
        raw = next((v for k, v in e.trailing_metadata() or () if k == "grpc-status-details-bin"), b"")
        status = msg("google.rpc.Status")
        status.ParseFromString(raw)
        reason, words = _info(status.details)
        heads = [_text_of((k, str(v)) for k, v in md or () if k != "grpc-status-details-bin")
                 for md in (e.initial_metadata(), e.trailing_metadata())]
        compare = (e.code().name, e.details(), status.message, words, heads)
        return Answer(reason or e.code().name, compare, raw + str(compare).encode())


def _exchange(door, verb, path, body, headers, stream=False):
    connection = door.connection()
    headers = dict(door.metadata + headers + [("x-request-id", REQUEST_ID)])
    try:
        connection.request(verb, path, body, headers)
        answer = connection.getresponse()
    except (http.client.HTTPException, OSError):
        # The server had closed it between two calls: once more on a new one.
        door.http.close()
        door.http = None
        connection = door.connection()
        connection.request(verb, path, body, headers)
        answer = connection.getresponse()
    if stream and answer.status == 200:
        raw = answer.read1(65536)
        connection.close()
        door.http = None
    else:
        raw = answer.read()
        if answer.getheader("connection", "").lower() == "close":
            connection.close()
            door.http = None
    return answer, raw


def _refusal(status, headers, error):
    details = error.get("details", [])
    reason = next((d["reason"] for d in details if "reason" in d), None)
    return reason or f"HTTP {status}", (status, _text_of(headers), json.dumps(error, sort_keys=True))


def _connect_reason(error):
    """Connect carries details as base64 without a debug member: taken apart as gRPC's are."""
    for d in error.get("details", []):
        if d.get("type") == "google.rpc.ErrorInfo" and "value" in d:
            info = msg("google.rpc.ErrorInfo")
            info.ParseFromString(base64.b64decode(d["value"] + "=="))
            return info.reason
    return None


def _ask_connect(door, method, fields, metadata):
    body = json_format.MessageToJson(msg(method.input, **fields)).encode()
    kind = "application/json"
    if method.stream:
        kind, body = "application/connect+json", struct.pack(">BI", 0, len(body)) + body
    answer, raw = _exchange(door, "POST", method.path, body, [("content-type", kind), *metadata], method.stream)
    everything = raw + str(answer.getheaders()).encode()
    if method.stream and answer.status == 200:
        flag, n = struct.unpack(">BI", raw[:5])
        if not flag & 2:
            return Answer("OK", None, everything)
        error = json.loads(raw[5:5 + n]).get("error", {})
    elif answer.status == 200:
        return Answer("OK", None, everything)
    else:
        error = json.loads(raw)
    reason, compare = _refusal(answer.status, answer.getheaders(), error)
    return Answer(_connect_reason(error) or reason, compare, everything)


def _ask_rest(door, method, fields, metadata, route):
    verb, path = route
    values = json_format.MessageToDict(msg(method.input, **fields), preserving_proto_field_name=True)
    for name in re.findall(r"{(\w+)}", path):
        path = path.replace("{%s}" % name, str(values.pop(name, "0")))
    body, headers = None, list(metadata)
    if verb in ("POST", "PATCH"):
        body = json.dumps(values).encode()
        headers.append(("content-type", "application/json"))
    elif values:
        path += "?" + urlencode({k: json.dumps(v) if isinstance(v, bool) else v for k, v in values.items()})
    answer, raw = _exchange(door, verb, path, body, headers, method.stream)
    everything = raw + str(answer.getheaders()).encode()
    if answer.status < 300:
        return Answer("OK", None, everything)
    reason, compare = _refusal(answer.status, answer.getheaders(), json.loads(raw))
    return Answer(reason, compare, everything)


def ask(door, protocol, method, fields, metadata=(), route=None):
    if protocol == "gRPC":
        return _ask_grpc(door, method, fields, metadata)
    if protocol == "Connect":
        return _ask_connect(door, method, fields, metadata)
    return _ask_rest(door, method, fields, metadata, route or method.routes[0])
