# SPDX-License-Identifier: Apache-2.0
"""What the contract must not do. Each complaint is one line, file:line first."""

import re

from contract import F, NUMBERS, TEXTS, Message
from error_table import unknown_reasons

SHAPES = {"", "uuid", "ip4", "ip6", "hostport", "slug"}
# Types as published by others: their bounds are the whole message's.
FOREIGN = ("google.",)
# Names that client/qmesh.h has already.
CLIENT_NAMES = {"unary", "start", "open", "call_cancel", "call_release", "call_read", "call_send",
                "call_end", "client_new", "client_free", "client_set_pins", "reply_done",
                "reply_get", "stream_open", "stream_send", "watch_start"}
PATH_TYPES = TEXTS | NUMBERS | {F.TYPE_ENUM, F.TYPE_BOOL}


def check(contract):
    """The list of complaints, empty when all is well."""
    complaints = []

    def complain(place, text):
        complaints.append(f"{place}: {text}")

    check_fields(contract, complain)
    check_recursion(contract, complain)
    for method in contract.methods():
        check_policy(method, complain)
        for route in method.routes:
            check_route(route, complain)
    check_equal_routes(contract, complain)
    check_names(contract, complain)
    return complaints


def check_fields(contract, complain):
    messages = contract.call_messages()
    inputs = contract.reachable(method.input for method in contract.methods())
    requests = {message.full_name for message in inputs}
    for message in messages:
        if message.full_name.startswith(FOREIGN) or message.map_entry:
            continue
        for field in message.fields:
            check_bound(field, message.full_name in requests, complain)


def check_bound(field, in_request, complain):
    rule = field.rule
    name = field.full_name
    if field.proto3_optional:
        complain(field.place, f"{name}: proto3 optional; use a oneof of one member")
    if field.type in TEXTS and not (rule and rule.max_len):
        complain(field.place, f"{name}: no bound (rule.max_len)")
    if field.repeated and not (rule and rule.max_items):
        complain(field.place, f"{name}: no bound (rule.max_items)")
    if field.is_map and field.target.fields[0].type in TEXTS and not (rule and rule.max_len):
        complain(field.place, f"{name}: no bound of the keys (rule.max_len)")
    if in_request and field.type in NUMBERS and not (rule and (rule.min or rule.max)):
        complain(field.place, f"{name}: no range (rule.min, rule.max) for a number of a request")
    if not rule:
        return
    if rule.min > rule.max or rule.min_len > rule.max_len > 0:
        complain(field.place, f"{name}: the lower bound is above the upper")
    if (rule.min or rule.max) and field.type not in NUMBERS:
        complain(field.place, f"{name}: a range needs a number")
    if rule.shape not in SHAPES:
        complain(field.place, f"{name}: unknown shape \"{rule.shape}\"")
    if rule.shape and field.type != F.TYPE_STRING:
        complain(field.place, f"{name}: a shape needs a string")
    if rule.max_items and not field.repeated:
        complain(field.place, f"{name}: max_items needs a repeated field")


def check_recursion(contract, complain):
    state = {}

    def visit(message):
        state[message.full_name] = "open"
        for field in message.fields:
            if not isinstance(field.target, Message):
                continue
            seen = state.get(field.target.full_name)
            if seen == "open":
                complain(field.place, f"{field.full_name}: recursion through "
                                      f"{field.target.full_name}")
            elif seen is None:
                visit(field.target)
        state[message.full_name] = "done"

    for message in contract.call_messages():
        if message.full_name not in state:
            visit(message)


def check_policy(method, complain):
    policy = method.policy
    name = f"{method.service.name}.{method.name}"
    if policy is None:
        complain(method.place, f"{name}: no policy (option (quazzar.rpc.v1.policy))")
        return
    for part in ("audience", "runs_on", "lane"):
        if not getattr(policy, part):
            complain(method.place, f"{name}: policy without {part}")
    user = policy.DESCRIPTOR.fields_by_name["audience"].enum_type.values_by_name["AUDIENCE_USER"]
    if policy.roles and policy.audience != user.number:
        complain(method.place, f"{name}: roles on a method that is not for people")
    if policy.self_or_admin and policy.audience != user.number:
        complain(method.place, f"{name}: self_or_admin on a method that is not for people")
    if policy.no_side_effects and not policy.idempotent:
        complain(method.place, f"{name}: no side effects, so it is idempotent: say so")
    if policy.http_status and not 200 <= policy.http_status <= 299:
        complain(method.place, f"{name}: http_status {policy.http_status} is not a success")
    for reason in unknown_reasons(method):
        complain(method.place, f"{name}: the comment names {reason}, which base/err.c has not")
    if method.client_streaming and method.routes:
        complain(method.place, f"{name}: a client stream has no REST binding")


def check_route(route, complain):
    method = route.method
    name = f"{method.service.name}.{method.name}"
    place = route.place
    if not route.verb or not re.fullmatch(r"(/([a-z0-9._-]+|\{[a-z0-9_]+\}))+(:[a-z]+)?",
                                          route.pattern):
        complain(place, f"{name}: route \"{route.pattern}\" is not one that the router knows")
        return
    in_path = route.variables()
    for variable in in_path:
        field = method.input.field(variable)
        if field is None:
            complain(place, f"{name}: path variable {{{variable}}} is no field of "
                            f"{method.input.name}")
        elif field.repeated or field.type not in PATH_TYPES:
            complain(place, f"{name}: path variable {{{variable}}} is not a single value")
        if in_path.count(variable) > 1:
            complain(place, f"{name}: path variable {{{variable}}} twice")
    if route.body and route.verb in ("GET", "DELETE"):
        complain(place, f"{name}: {route.verb} with a body")
    if route.body and route.body != "*":
        field = method.input.field(route.body)
        if field is None:
            complain(place, f"{name}: body \"{route.body}\" is no field of {method.input.name}")
        if route.body in in_path:
            complain(place, f"{name}: \"{route.body}\" is both in the path and the body")
    if route.response_body and method.output.field(route.response_body) is None:
        complain(place, f"{name}: response_body \"{route.response_body}\" is no field of "
                        f"{method.output.name}")
    if route.body != "*":
        for field in method.input.fields:
            taken = field.name in in_path or field.name == route.body
            if not taken and isinstance(field.target, Message):
                complain(place, f"{name}: {field.name} is a message and cannot be a query "
                                "parameter")


def check_equal_routes(contract, complain):
    seen = {}
    for route in contract.routes():
        shape = route.shape()
        other = seen.get(shape)
        if other is not None:
            complain(route.place, f"{route.verb} {route.pattern} equals {other.verb} "
                                  f"{other.pattern} at {other.place}")
        seen.setdefault(shape, route)


STUB_PREFIXES = {"coredns.dns.DnsService": "dns_",
                 "grpc.health.v1.Health": "health_",
                 "grpc.reflection.v1.ServerReflection": "reflection_v1_",
                 "grpc.reflection.v1alpha.ServerReflection": "reflection_v1alpha_"}


def stub_name(method):
    return STUB_PREFIXES.get(method.service.full_name, "") + method.snake


def stub_functions(method):
    """What the stubs of a method are called, without qm_."""
    name = stub_name(method)
    if method.client_streaming:
        return [name + "_open", name + "_send"]
    return [name + "_start"] if method.server_streaming else [name]


def check_names(contract, complain):
    seen = {}
    for method in contract.methods():
        for name in stub_functions(method):
            if name in CLIENT_NAMES:
                complain(method.place, f"{method.name}: qm_{name} is taken by client/qmesh.h")
            elif name in seen:
                complain(method.place, f"{method.name}: qm_{name} is also {seen[name].place}")
            seen.setdefault(name, method)
    stems = {}
    for service in contract.services:
        if service.stem in stems:
            complain(service.place, f"{service.name}: gen/rpc/{service.stem}.h is also "
                                    f"{stems[service.stem].place}")
        stems.setdefault(service.stem, service)
