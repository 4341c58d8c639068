#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One failure is one google.rpc.Status, whichever protocol tells it.

The driver answers with the status that a request carries along. Here it is made
of every reason of the table in base/err.c, with the details the reason comes with
and with words nobody would choose, asked for over gRPC, gRPC-Web (binary and
text), Connect (unary by POST and GET, streams, protobuf and JSON) and REST, clear
and over TLS; what arrives is decoded and compared with what was asked for.
QMESH_TEST_SEED repeats a run."""

import base64
import http.client
import json
import os
import random
import re
import ssl
import subprocess
import sys
import tempfile
from urllib.parse import quote

import grpc
from google.protobuf import json_format

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
sys.path.insert(0, os.path.join(HERE, "../attack"))

import meshrpc  # noqa: E402
from test_web import (BEARER, BUILD, CODES, JSON, MESH, PROTO, STREAM, STREAM_JSON, WEB, WEB_TEXT, Answer, cut,  # noqa: E402
                      envelope)
from wire import Report  # noqa: E402

ROUNDS = 150
WORDS_MAX, ENCODED_MAX = 1024, 8192  # base/status.h
HTTP_OF_CODE = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401]
ID = "00000000-0000-7000-8000-000000000001"
REQUEST = b"\x0a\x24" + ID.encode()
GOOGLE = "type.googleapis.com/google.rpc."

# Which details each reason comes with beside its ErrorInfo, as the design has it.
FIELDS, RETRY, QUOTA = "fields", "retry", "quota"
CASES = {
    "FIELD_INVALID": [FIELDS], "LABEL_INVALID": [FIELDS], "LABEL_RESERVED": [FIELDS], "PAGE_TOKEN_INVALID": [],
    "TOKEN_MISSING": [], "TOKEN_INVALID": [], "LOGIN_FAILED": [], "JOIN_TOKEN_INVALID": [],
    "NOT_OWNER": [], "ROLE_REQUIRED": [], "SSO_REQUIRED": [], "PLAN_LACKS_FEATURE": [], "CROSS_SITE": [],
    "NOT_FOUND": [],
    "LABEL_TAKEN": [], "KEY_IN_USE": [], "ADDRESS_IN_USE": [], "IDEMPOTENCY_KEY_REUSED": [],
    "DEVICE_CAP_REACHED": [QUOTA], "POOL_EXHAUSTED": [QUOTA], "RATE_LIMITED": [RETRY],
    "ADDRESS_OVERLAP": [], "NEEDS_REHOME": [], "DEVICE_HAS_NO_KEY": [], "LICENCE_INVALID": [],
    "CALL_IN_PROGRESS": [RETRY],
    "INTERNAL": [], "CP_UNREACHABLE": [], "DRAINING": [], "OUTCOME_UNKNOWN": [],
    "CANCELLED": [], "DEADLINE_EXCEEDED": [], "UNIMPLEMENTED": [], "MESSAGE_TOO_LARGE": [], "MESSAGE_INVALID": [],
}

NASTY = [
    "", " ", "  both ends  ", "100% sure: %41 %zz %", "two\nlines\r\n\tand a tab", 'say "so" \\ or \'so\'', "<script>&amp;</script>",
    "Ünïcode 日本語 😀 e\u0301", "\u202eright to left\u202c", "\x01\x1f\x7f", "\u0080\u2028\u2029\ufeff", "grpc-status: 0\r\n\r\n",
    "{\"code\":0}", "a,b;c=d", "\ud7ff\ue000\ufffd\uffff\U00010000\U0010ffff", "x" * WORDS_MAX, "é" * (WORDS_MAX // 2),
    "😀" * (WORDS_MAX // 4), "%" * WORDS_MAX, "\n" * WORDS_MAX,
]

report = Report()


def check(what, got, want):
    report.check(what, got == want, "got %r, wanted %r" % (got, want))


def error_table():
    """{reason: (code, http)}, from the table itself."""
    with open(os.path.join(meshrpc.ROOT, "base/err.c"), encoding="utf-8") as f:
        rows = re.findall(r'\[ERR_\w+\]\s*=\s*\{"(\w+)", GRPC_(\w+), (\d+)\}', f.read())
    names = ["OK", "CANCELLED"] + [c.upper() for c in CODES[2:]]
    return {reason: (names.index(code), int(status)) for reason, code, status in rows[1:]}


def rpc(kind, **fields):
    return meshrpc.msg("google.rpc." + kind, **fields)


def words(dice):
    """Anything a string may hold, up to the length that is kept."""
    if dice.random() < 0.4:
        return dice.choice(NASTY)
    pick = [lambda: chr(dice.randrange(0x20, 0x7f)), lambda: chr(dice.randrange(1, 0x20)),
            lambda: chr(dice.randrange(0x80, 0xd800)), lambda: chr(dice.randrange(0x10000, 0x110000)), lambda: "%"]
    text = "".join(dice.choice(pick)() for _ in range(dice.choice((1, 7, 40, 200))))
    return text.encode()[:WORDS_MAX].decode(errors="ignore")


def make_status(dice, reason, code, message, kinds, most):
    """A status with details in the order the server has them."""
    status = rpc("Status", code=code, message=message)

    def add(detail):
        status.details.add(type_url=GOOGLE + detail.DESCRIPTOR.name, value=detail.SerializeToString(deterministic=True))

    info = rpc("ErrorInfo", reason=reason, domain="mesh.quazzar")
    for n in range(dice.randrange(most + 1)):
        info.metadata["key%d" % n] = words(dice)[:100]
    add(info)
    if FIELDS in kinds:
        bad = rpc("BadRequest")
        for n in range(1 + dice.randrange(most + 1)):
            bad.field_violations.add(field="device.label[%d]" % n, description=words(dice)[:100], reason=reason)
        add(bad)
    if RETRY in kinds:
        retry = rpc("RetryInfo")
        ms = dice.choice((1, 999, 1000, 1001, 59999, 86400000))
        retry.retry_delay.seconds, retry.retry_delay.nanos = ms // 1000, ms % 1000 * 1000000
        add(retry)
    if QUOTA in kinds:
        quota = rpc("QuotaFailure")
        quota.violations.add(subject=words(dice)[:50], description=words(dice)[:100])
        add(quota)
    return status


def decoded(status):
    """(code, message, [(type, content)]), in the order it was told."""
    details = []
    for any_ in status.details:
        detail = rpc(any_.type_url.rsplit(".", 1)[1])
        detail.ParseFromString(any_.value)
        details.append((any_.type_url, json_format.MessageToDict(detail)))
    return status.code, status.message, details


def unbase64(text):
    return base64.b64decode(text + "=" * (-len(text) % 4))


def of_bytes(raw):
    status = rpc("Status")
    status.ParseFromString(raw)
    return decoded(status)


def of_connect(error):
    status = rpc("Status", code=CODES.index(error["code"]), message=error.get("message", ""))
    for d in error.get("details", ()):
        status.details.add(type_url="type.googleapis.com/" + d["type"], value=unbase64(d["value"]))
    return decoded(status)


def of_rest(body):
    return decoded(json_format.ParseDict(json.loads(body), rpc("Status"), descriptor_pool=meshrpc.POOL))


# --- the ways to ask; each gives (HTTP status or None, what was told) ---

def unpercent(text):
    return re.sub(rb"%([0-9A-F]{2})", lambda m: bytes([int(m[1], 16)]), text.encode()).decode()


def over_grpc(driver, asked, tls, stream=False):
    channel = driver.channels[tls]
    try:
        metadata = list(BEARER.items()) + [("x-refuse-bin", asked)]
        if stream:
            list(channel.unary_stream(MESH + "WatchState")(b"", timeout=20, metadata=metadata))
        else:
            channel.unary_unary(MESH + "GetDevice")(REQUEST, timeout=20, metadata=metadata)
    except grpc.RpcError as e:
        told = of_bytes(dict(e.trailing_metadata() or ()).get("grpc-status-details-bin", b""))
        # The two other headers say the same again.
        return None, told if told[:2] == (e.code().value[0], e.details()) else (e.code().value[0], e.details(), "beside", told)
    return None, "no refusal"


def over_web(driver, asked, tls, kind=WEB, path="GetDevice", request=REQUEST):
    body = envelope(request)
    a = driver.ask(tls, "POST", MESH + path, kind, base64.b64encode(body) if kind is WEB_TEXT else body, asked)
    lines = a.trailers()
    told = of_bytes(unbase64(lines["grpc-status-details-bin"]))
    again = int(lines["grpc-status"]), unpercent(lines.get("grpc-message", ""))
    return a.status, told if told[:2] == again else (again, "beside", told)


def connect_unary(driver, asked, tls, kind=PROTO):
    body = REQUEST if kind is PROTO else json.dumps({"id": ID})
    a = driver.ask(tls, "POST", MESH + "GetDevice", kind, body, asked)
    return a.status, of_connect(json.loads(a.body))


def connect_get(driver, asked, tls):
    a = driver.ask(tls, "GET", MESH + "GetDevice?encoding=json&message=" + quote(json.dumps({"id": ID})), {}, None, asked)
    return a.status, of_connect(json.loads(a.body))


def connect_stream(driver, asked, tls, kind=STREAM):
    a = driver.ask(tls, "POST", MESH + "WatchState", kind, envelope(b"" if kind is STREAM else b"{}"), asked)
    return a.status, of_connect(json.loads(cut(a.body)[-1][1])["error"])


def over_rest(driver, asked, tls, path="/api/mesh/devices/" + ID):
    for _ in range(20):
        a = driver.ask(tls, "GET", path, {}, None, asked)
        # A stream that says nothing for half a second begins; on a busy machine a refusal may come later.
        if (a.status, a.body) != (200, b"retry: 2000\n\n"):
            break
    return a.status, of_rest(a.body)


WAYS = [
    ("gRPC", over_grpc, {}, None),
    ("gRPC stream", over_grpc, {"stream": True}, None),
    ("gRPC-Web", over_web, {}, "web"),
    ("gRPC-Web stream", over_web, {"path": "WatchState", "request": b""}, "web"),
    ("gRPC-Web text", over_web, {"kind": WEB_TEXT}, "web"),
    ("Connect proto", connect_unary, {}, "connect"),
    ("Connect JSON", connect_unary, {"kind": JSON}, "connect"),
    ("Connect GET", connect_get, {}, "connect"),
    ("Connect stream", connect_stream, {}, "web"),
    ("Connect stream, JSON", connect_stream, {"kind": STREAM_JSON}, "web"),
    ("REST", over_rest, {}, "rest"),
    ("REST events", over_rest, {"path": "/api/mesh/events"}, "rest"),
]


class Driver:
    """gateway_driver, clear and over TLS."""

    def __init__(self, scratch):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", scratch + "/key.pem", "-out", scratch + "/cert.pem", "-days", "2", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], check=True, stderr=subprocess.DEVNULL)
        self.process = subprocess.Popen([BUILD + "/tests/support/gateway_driver", scratch + "/driver.sock",
                                         scratch + "/cert.pem", scratch + "/key.pem"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ports = {}
        for line in self.process.stdout:
            if line.strip() == "started":
                break
            name, port = line.split()
            self.ports[name] = int(port)
        self.cert = scratch + "/cert.pem"
        self.context = ssl.create_default_context(cafile=self.cert)
        with open(self.cert, "rb") as f:
            trust = grpc.ssl_channel_credentials(f.read())
        options = [("grpc.max_metadata_size", 65536)]
        self.channels = {False: grpc.insecure_channel("localhost:%d" % self.ports["plain"], options),
                         True: grpc.secure_channel("localhost:%d" % self.ports["tls"], trust, options)}
        self.kept = {}

    def ask(self, tls, verb, path, headers, body, asked):
        headers = {**BEARER, **headers}
        if asked:
            headers["x-refuse-bin"] = base64.b64encode(asked).decode()
        if tls == "h2":
            return self.ask_h2(verb, path, headers, body)
        if tls not in self.kept:
            self.kept[tls] = http.client.HTTPSConnection("localhost", self.ports["tls"], timeout=20, context=self.context) \
                if tls else http.client.HTTPConnection("localhost", self.ports["plain"], timeout=20)
        connection = self.kept[tls]
        connection.request(verb, path, body=body, headers=headers)
        r = connection.getresponse()
        return Answer(r.status, r.getheaders(), r.read())

    def ask_h2(self, verb, path, headers, body):
        argv = ["curl", "-sS", "--http2", "--cacert", self.cert, "--max-time", "20", "-X", verb, "-i",
                "https://localhost:%d%s" % (self.ports["tls"], path)]
        for name, value in headers.items():
            argv += ["-H", "%s: %s" % (name, value)]
        if body is not None:
            argv += ["--data-binary", "@-"]
        body = body.encode() if isinstance(body, str) else body
        out = subprocess.run(argv, input=body, check=True, capture_output=True).stdout
        head, _, rest = out.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        return Answer(int(lines[0].split()[1]), [line.split(": ", 1) for line in lines[1:]], rest)

    def stop(self):
        for channel in self.channels.values():
            channel.close()
        for connection in self.kept.values():
            connection.close()
        self.process.stdin.close()
        return self.process.wait(20)


def http_wanted(way, reason, table):
    code, rest = table[reason]
    return {None: None, "web": 200, "connect": HTTP_OF_CODE[code], "rest": rest}[way]


def ask_all(driver, dice, what, reason, status, table, want=None):
    asked = status.SerializeToString(deterministic=True)
    want = want or decoded(status)
    for name, fn, options, way in WAYS:
        tls = dice.random() < 0.3
        if way and dice.random() < 0.05:
            tls = "h2"
        try:
            got = fn(driver, asked, tls, **options)
        except (ValueError, KeyError, LookupError, OSError, json_format.ParseError) as e:
            got = repr(e)
        check("%s over %s (%s)" % (what, name, {False: "clear", True: "TLS"}.get(tls, tls)), got,
              (http_wanted(way, reason, table), want))


def test_every_reason(driver, dice, table):
    check("reasons without a case here", sorted(set(table) - set(CASES)), [])
    check("cases without a reason", sorted(set(CASES) - set(table)), [])
    for reason, kinds in CASES.items():
        status = make_status(dice, reason, table[reason][0], 'Naïve: 100 %% "so"\n<%s>' % reason, kinds, 2)
        ask_all(driver, dice, reason, reason, status, table)


def test_any_words(driver, dice, table):
    for message in NASTY:
        reason = dice.choice(list(CASES))
        status = make_status(dice, reason, table[reason][0], message, CASES[reason], 1)
        ask_all(driver, dice, "%r..." % message[:20], reason, status, table)
    for n in range(ROUNDS):
        reason = dice.choice(list(CASES))
        kinds = [k for k in (FIELDS, RETRY, QUOTA) if dice.random() < 0.5]
        status = make_status(dice, reason, table[reason][0], words(dice), kinds, 3)
        ask_all(driver, dice, "round %d" % n, reason, status, table)


def test_too_long(driver, dice, table):
    """More than a header block carries is cut once, so that all tell the same."""
    status = make_status(dice, "FIELD_INVALID", table["FIELD_INVALID"][0], "ü" * 2000, [], 0)
    info = rpc("ErrorInfo")
    info.ParseFromString(status.details[0].value)
    bad = rpc("BadRequest")
    for n in range(12):
        bad.field_violations.add(field="f%d" % n, description="d" * 400, reason="FIELD_INVALID")
    status.details.add(type_url=GOOGLE + "BadRequest", value=bad.SerializeToString())
    asked = status.SerializeToString()
    _, told = over_grpc(driver, asked, False)
    check("the words are cut", told[1], "ü" * (WORDS_MAX // 2))
    check("reason and fields stay", [d[0] for d in told[2]], [GOOGLE + "ErrorInfo", GOOGLE + "BadRequest"])
    ask_all(driver, dice, "too long", "FIELD_INVALID", status, table, told)


def test_session_runs_out(driver):
    """A stream ends with the session it was opened with, and says so: the driver's lasts 200 ms."""
    short = {"authorization": BEARER["authorization"] + "-short"}
    for tls in (False, True):
        try:
            list(driver.channels[tls].unary_stream(MESH + "WatchState")(b"", timeout=20, metadata=list(short.items())))
            got = "no end"
        except grpc.RpcError as e:
            got = of_bytes(dict(e.trailing_metadata()).get("grpc-status-details-bin", b""))
        check("gRPC: the session runs out", (got[0], got[2][0][1]["reason"]), (16, "TOKEN_INVALID"))
        for kind in (WEB, WEB_TEXT, STREAM, STREAM_JSON):
            body = envelope(b"{}" if kind is STREAM_JSON else b"")
            body = base64.b64encode(body) if kind is WEB_TEXT else body
            a = driver.ask(tls, "POST", MESH + "WatchState", {**kind, **short}, body, b"")
            told = of_connect(json.loads(cut(a.body)[-1][1])["error"]) if "connect" in kind["content-type"] \
                else of_bytes(unbase64(a.trailers()["grpc-status-details-bin"]))
            check(kind["content-type"] + ": the session runs out", (told[0], told[2][0][1]["reason"]),
                  (16, "TOKEN_INVALID"))
        a = driver.ask(tls, "GET", "/api/mesh/events", short, None, b"")
        check("events: the session runs out", (a.status, b"event: changed" in a.body), (200, True))


def main():
    seed = os.environ.get("QMESH_TEST_SEED") or str(random.randrange(10 ** 9))
    dice, table = random.Random(seed), error_table()
    with tempfile.TemporaryDirectory(prefix="qmesh-failures-") as scratch:
        driver = Driver(scratch)
        try:
            test_every_reason(driver, dice, table)
            test_any_words(driver, dice, table)
            test_too_long(driver, dice, table)
            test_session_runs_out(driver)
        finally:
            check("the driver ends clean", driver.stop(), 0)
    print("seed %s" % seed)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
