# SPDX-License-Identifier: Apache-2.0
"""gen/openapi: the REST door as OpenAPI 3.1. Same contract, same bytes."""

import json

from contract_check import stub_name
from error_table import ERROR_TABLE, reasons_of
from openapi_schema import (enum_schema, field_schema, is_required, message_schema, reference,
                            schema_name)

INFO = {
    "title": "Quazzar Mesh",
    "version": "1",
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    "description": "WireGuard mesh: devices, nodes and their state. The same methods are served "
                   "as gRPC; this is the REST form. Every failure is a google.rpc.Status with an "
                   "ErrorInfo whose reason programs match on.",
}
SECURITY = {
    "session": {"type": "http", "scheme": "bearer",
                "description": "The token that sign-in returns, or a service token."},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "__Host-qmesh-7444",
               "description": "Set by sign-in; the number is the port that was called, and over "
                              "clear text on loopback the name is qmesh-<port>. Unsafe methods "
                              "need a same-origin request."},
    "agent": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT",
              "description": "A node's CC-agent token."},
    "on_behalf": {"type": "apiKey", "in": "header", "name": "X-Qmesh-User",
                  "description": "Session of the person for whom a node calls."},
}
STATUS_SCHEMA = {
    "type": "object",
    "description": "google.rpc.Status: why a call failed.",
    "properties": {
        "code": {"type": "integer", "minimum": 0, "maximum": 16,
                 "description": "The gRPC status code."},
        "message": {"type": "string",
                    "description": "What happened and what to do, in plain words."},
        "details": {
            "type": "array", "maxItems": 16,
            "items": {
                "type": "object",
                "description": "ErrorInfo (reason, domain, metadata), BadRequest "
                               "(field_violations), RetryInfo or QuotaFailure.",
                "properties": {
                    "@type": {"type": "string"},
                    "reason": {"type": "string", "description": "One of the error table."},
                    "domain": {"type": "string", "const": "mesh.quazzar"},
                    "metadata": {"type": "object",
                                 "additionalProperties": {"type": "string"}},
                },
                "required": ["@type"],
            },
        },
    },
    "required": ["code", "message"],
}
HEADERS = {
    "Qmesh-Generation": ("The generation that this change made.", {"type": "string"}),
    "Qmesh-Applied": ("Whether the device's home had applied it when the answer left.",
                      {"type": "string", "enum": ["true", "false"]}),
    "Qmesh-Converged": ("Live nodes that had applied it, of all, e.g. 3/12.",
                        {"type": "string"}),
}
# What ?format= gives beside JSON, as in gateway/export.c.
FORMS = {
    "ListAudit": {"ndjson": "application/x-ndjson", "csv": "text/csv"},
    "GetMeshCa": {"pem": "application/x-x509-ca-cert"},
}
TITLES = {400: "The request is wrong", 401: "Not signed in", 403: "Not allowed",
          404: "Not there", 409: "Clashes with what is", 429: "Too often",
          500: "Our fault", 503: "Not now"}


def operation_id(route):
    routes = route.method.routes
    base = stub_name(route.method)
    at = routes.index(route)
    return base if at == 0 else f"{base}_{at + 1}"


def query_fields(route):
    if route.body == "*":
        return []
    taken = set(route.variables()) | {route.body}
    return [field for field in route.method.input.fields if field.name not in taken]


def parameter(field, where):
    schema = field_schema(field)
    words = schema.pop("description", "")
    out = {"name": field.name, "in": where}
    if words:
        out["description"] = words
    if where == "path":
        out["required"] = True
    elif is_required(field):
        out["required"] = True
    out["schema"] = schema
    return out


def parameters(route):
    fields = {field.name: field for field in route.method.input.fields}
    out = [parameter(fields[name], "path") for name in route.variables()]
    out += [parameter(field, "query") for field in query_fields(route)]
    if route.method.name in FORMS:
        out.append({
            "name": "format", "in": "query",
            "description": "The form of the answer; without it: json.",
            "schema": {"type": "string", "enum": ["json", *FORMS[route.method.name]]},
        })
    if is_creation(route.method):
        out.append({
            "name": "Idempotency-Key", "in": "header",
            "description": "Your own name for this creation: sent again within 24 h it is the "
                           "same device, not another one.",
            "schema": {"type": "string", "maxLength": 128},
        })
    return out


def is_creation(method):
    return method.policy.http_status == 201


def is_change(method):
    return method.policy.audit.startswith("device.")


def body_schema(route, schemas):
    message = route.method.input
    if route.body != "*":
        return field_schema(message.field(route.body))
    without = set(route.variables())
    if not without:
        return reference(message)
    name = f"{message.name}Body"
    schemas[name] = message_schema(message, without)
    return {"$ref": f"#/components/schemas/{name}"}


def request_body(route, schemas):
    schema = body_schema(route, schemas)
    left = [f for f in route.method.input.fields if f.name not in route.variables()]
    return {"required": any(is_required(field) for field in left),
            "content": {"application/json": {"schema": schema}}}


def success_headers(route):
    headers = {}
    if is_change(route.method):
        for name, (words, schema) in HEADERS.items():
            headers[name] = {"description": words, "schema": dict(schema)}
    field = route.method.output.field(route.response_body) if route.response_body else None
    if field and field.repeated and route.method.output.field("next_page_token"):
        headers["Link"] = {"description": "The next page, rel=\"next\"; absent on the last.",
                           "schema": {"type": "string"}}
    if route.method.name == "Login":
        headers["Set-Cookie"] = {"description": "The session, for browsers.",
                                 "schema": {"type": "string"}}
    return headers


def success(route, status):
    method = route.method
    out = {"description": method.output.comment or "Done."}
    headers = success_headers(route)
    if headers:
        out["headers"] = headers
    if method.server_streaming:
        out["description"] = ("Events: `event: changed`, `id:` a version, `data:` a "
                              f"{method.output.name}; a comment line every 15 s.")
        out["content"] = {"text/event-stream": {"schema": {"type": "string"}}}
    elif status != 204:
        schema = reference(method.output)
        if route.response_body:
            schema = field_schema(method.output.field(route.response_body), alone=True)
            schema.pop("description", None)
        out["content"] = {"application/json": {"schema": schema}}
        for form in FORMS.get(method.name, {}).values():
            out["content"][form] = {"schema": {"type": "string"}}
    return out


def failure(status, reasons):
    out = {"description": f"{TITLES.get(status, 'Failed')}: {', '.join(reasons)}."}
    if status in (429, 503):
        out["headers"] = {"Retry-After": {"description": "Seconds to wait.",
                                          "schema": {"type": "integer", "minimum": 0}}}
    out["content"] = {"application/json": {"schema": {"$ref": "#/components/schemas/Status"}}}
    return out


def responses(route):
    status = route.method.policy.http_status or (200 if route.method.output.fields else 204)
    out = {str(status): success(route, status)}
    by_status = {}
    for reason in reasons_of(route.method):
        by_status.setdefault(ERROR_TABLE[reason], []).append(reason)
    for code in sorted(by_status):
        out[str(code)] = failure(code, by_status[code])
    out["default"] = {
        "description": "Any other failure.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Status"}}},
    }
    return out


def security(route):
    audience = route.method.policy.audience
    names = route.method.policy.DESCRIPTOR.fields_by_name["audience"].enum_type.values_by_number
    name = names[audience].name
    if name == "AUDIENCE_PUBLIC":
        return [{}]
    if name == "AUDIENCE_AGENT":
        return [{"agent": []}]
    if route.pattern.startswith("/cp/"):
        return [{"agent": [], "on_behalf": []}]
    return [{"session": []}, {"cookie": []}]


def operation(route, schemas):
    method = route.method
    words = method.comment or method.name
    out = {
        "operationId": operation_id(route),
        "summary": words.split(". ")[0].split(": ")[0].rstrip(".")[:120],
        "description": words,
        "tags": [method.service.name],
        "security": security(route),
    }
    params = parameters(route)
    if params:
        out["parameters"] = params
    if route.body:
        out["requestBody"] = request_body(route, schemas)
    out["responses"] = responses(route)
    return out


def used_schemas(document, contract):
    """The schemas that the document names, and those that they name."""
    messages = {schema_name(m): m for m in contract.messages.values()}
    enums = {schema_name(e): e for e in contract.enums.values()}
    schemas = document["components"]["schemas"]
    todo = [document]
    while todo:
        thing = todo.pop()
        if isinstance(thing, list):
            todo.extend(thing)
            continue
        if not isinstance(thing, dict):
            continue
        name = str(thing.get("$ref", "")).rpartition("/")[2]
        if name and name not in schemas:
            known = messages.get(name)
            schemas[name] = message_schema(known) if known else enum_schema(enums[name])
            todo.append(schemas[name])
        todo.extend(thing.values())
    document["components"]["schemas"] = dict(sorted(schemas.items()))


def emit_openapi(contract):
    document = {
        "openapi": "3.1.0",
        "info": INFO,
        "servers": [{"url": "/", "description": "A node, or the Control Panel."}],
        "tags": [],
        "paths": {},
        "components": {"schemas": {"Status": STATUS_SCHEMA}, "securitySchemes": SECURITY},
    }
    schemas = document["components"]["schemas"]
    used = []
    for route in contract.routes():
        if route.method.service not in used:
            used.append(route.method.service)
        path = document["paths"].setdefault(route.pattern, {})
        path[route.verb.lower()] = operation(route, schemas)
    document["tags"] = [{"name": s.name, "description": s.comment or s.name} for s in
                        sorted(used, key=lambda service: service.name)]
    used_schemas(document, contract)
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return {"openapi/openapi.json": text}
