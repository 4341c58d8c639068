#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Behind nginx: every interop case through grpc_pass (h2c and TLS in front), Connect, gRPC-Web and
REST through proxy_pass over HTTP/1.1, a cache that answers CacheableUnaryCall, connections that are
kept, and a server that drains while calls run."""
import base64
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import interop
import meshlab

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
METHOD = "/grpc.testing.TestService/"

CONF = """
user root;
worker_processes 1;
daemon off;
pid {at}/nginx.pid;
error_log {at}/error.log warn;
events {{ worker_connections 512; }}
http {{
	access_log off;
	client_body_temp_path {at}/body;
	proxy_temp_path {at}/proxy;
	fastcgi_temp_path {at}/f;
	uwsgi_temp_path {at}/u;
	scgi_temp_path {at}/s;
	client_max_body_size 0;
	proxy_cache_path {at}/cache keys_zone=answers:1m;
	# One server, another for the time it is away; connections are kept.
	upstream calls {{
		server 127.0.0.1:{first} max_fails=0;
		server 127.0.0.1:{second} backup;
		keepalive 4;
	}}
	# Not of the same pool: a kept connection speaks what it began with.
	upstream web {{
		server 127.0.0.1:{second};
		keepalive 4;
	}}
	upstream node {{
		server 127.0.0.1:{node};
		keepalive 4;
	}}
	server {{
		listen 127.0.0.1:{plain} http2;
		listen 127.0.0.1:{tls} ssl http2;
		ssl_certificate {at}/cert.pem;
		ssl_certificate_key {at}/key.pem;
		location / {{
			grpc_pass grpc://calls;
			grpc_set_header Host $host;
			# An answer's head: metadata of 8 KiB, in base64.
			grpc_buffer_size 16k;
			grpc_next_upstream error timeout http_503 non_idempotent;
			grpc_socket_keepalive on;
		}}
	}}
	server {{
		listen 127.0.0.1:{web};
		location / {{
			proxy_pass http://web;
			proxy_set_header Host $http_host;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_buffering off;
			proxy_request_buffering off;
		}}
		location = {cacheable} {{
			proxy_pass http://web;
			proxy_set_header Host $http_host;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_cache answers;
		}}
		location /api/ {{
			proxy_pass http://node;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $http_host;
			proxy_buffering off;
		}}
	}}
}}
"""


class Front:
    """nginx in a directory of its own; ports["plain"], ["tls"], ["web"], as interop.Servers has them."""

    socket = interop.Servers.socket

    def __init__(self, first, second, node):
        self.dir = tempfile.TemporaryDirectory(prefix="qmesh-nginx-")
        self.upstream = {"first": first, "second": second, "node": node}
        self.ports = {}

    def __enter__(self):
        from meshrpc import free_port
        self.ports = {name: free_port() for name in ("plain", "tls", "web")}
        interop.certificate(self.dir.name)
        conf = self.dir.name + "/nginx.conf"
        with open(conf, "w") as f:
            f.write(CONF.format(at=self.dir.name, cacheable=METHOD + "CacheableUnaryCall", **self.ports, **self.upstream))
        argv = [NGINX, "-p", self.dir.name, "-c", conf, "-e", self.dir.name + "/error.log"]
        subprocess.run([*argv, "-t", "-q"], check=True)
        self.process = subprocess.Popen(argv)
        for _ in range(1200):
            try:
                return self if http.client.HTTPConnection("127.0.0.1", self.ports["web"]).connect() is None else None
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("nginx did not start")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.dir.cleanup()

    def said(self):
        with open(self.dir.name + "/error.log") as f:
            return f.read()[-1500:]

    def request(self, verb, path, body=None, **headers):
        c = http.client.HTTPConnection("127.0.0.1", self.ports["web"], timeout=60)
        c.request(verb, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        answer = c.getresponse()
        got = answer.status, dict(answer.getheaders()), answer.read()
        c.close()
        return got


def interop_cases(front, report, modules, client_class, cases):
    import grpc
    for kind in ("plain", "tls"):
        client = client_class(front, kind, *modules)
        for case in cases:
            try:
                getattr(client, case)()
                report.check("nginx, %s: %s" % (kind, case), True)
            except (AssertionError, grpc.RpcError, OSError, KeyError, IndexError) as e:
                report.check("nginx, %s: %s" % (kind, case), False, repr(e) + front.said())
        client.channel.close()


def connections_to(port):
    """Of this namespace, in whatever state."""
    seen = set()
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(path) as f:
            for line in list(f)[1:]:
                local, remote = line.split()[1:3]
                if int(remote.split(":")[1], 16) == port and local.split(":")[1] != remote.split(":")[1]:
                    seen.add(local)
    return seen


def kept_connections(front, report, client):
    """One after the other they need one connection, not one each."""
    before = connections_to(front.upstream["first"])
    for _ in range(100):
        client.stub.EmptyCall(client.empty.Empty(), timeout=60)
    new = connections_to(front.upstream["first"]) - before
    report.check("nginx keeps its connections", len(new) <= 2, len(new))


def web(front, report):
    """Without HTTP/2 between nginx and us."""
    def check(what, ok, seen=""):
        report.check("nginx, HTTP/1.1: " + what, ok, seen)

    status, headers, body = front.request("POST", METHOD + "UnaryCall", json.dumps({"responseSize": 10}),
                                          content_type="application/json")
    check("Connect", status == 200 and json.loads(body) == {"payload": {"body": "AAAAAAAAAAAAAA=="}}, (status, body))
    asked = json.dumps({"responseStatus": {"code": 9, "message": "no ☺"}})
    status, _, body = front.request("POST", METHOD + "UnaryCall", asked.encode(), content_type="application/json")
    check("Connect's error", status == 400 and json.loads(body) == {"code": "failed_precondition", "message": "no ☺"},
          (status, body))
    status, headers, body = front.request("POST", METHOD + "UnaryCall", b"{}", content_type="application/json",
                                          connect_timeout_ms="10000", x_grpc_test_echo_initial="one",
                                          x_grpc_test_echo_trailing_bin="q6ur")
    check("metadata", headers.get("x-grpc-test-echo-initial") == "one" and
          headers.get("trailer-x-grpc-test-echo-trailing-bin") == "q6ur", headers)
    frame = b"\0\0\0\0\4\x12\2\x08\x09"  # response_parameters {size: 9}
    status, _, body = front.request("POST", METHOD + "StreamingOutputCall", frame, content_type="application/grpc-web+proto")
    check("gRPC-Web", status == 200 and body[0] == 0 and b"grpc-status:0" in body.replace(b" ", b""), body)
    status, _, body = front.request("POST", METHOD + "StreamingOutputCall", base64.b64encode(frame),
                                    content_type="application/grpc-web-text+proto")
    text = b"".join(base64.b64decode(part + b"=" * (-len(part) % 4)) for part in body.replace(b"=", b" ").split())
    check("gRPC-Web as text", status == 200 and b"grpc-status" in text, body)
    asked = json.dumps({"responseParameters": [{"size": 1, "intervalUs": 200000}] * 15}).encode()
    c = http.client.HTTPConnection("127.0.0.1", front.ports["web"], timeout=60)
    c.request("POST", METHOD + "StreamingOutputCall", b"\0" + len(asked).to_bytes(4, "big") + asked,
              {"content-type": "application/connect+json"})
    answer = c.getresponse()
    first = answer.read1(65536)
    rest = answer.read()
    check("Connect's stream comes as it is sent", len(first) > 5 and rest, (first, rest))
    c.close()
    big = json.dumps({"payload": {"body": base64.b64encode(bytes(2 << 20)).decode()}, "responseSize": 2 << 20})
    status, _, body = front.request("POST", METHOD + "UnaryCall", big, content_type="application/json")
    check("2 MiB there and back", status == 200 and len(body) > 2 << 20, (status, len(body)))
    query = METHOD + "CacheableUnaryCall?connect=v1&encoding=json&message=%7B%7D"
    got = [front.request("GET", query) for _ in range(2)]
    check("a cache answers cacheable_unary", got[0][0] == 200 and got[0][2] == got[1][2] and b"payload" in got[0][2], got)


def rest(front, report, lab):
    """The node's own REST and its stream of events."""
    def ask(verb, path, body=None, **headers):
        status, got, raw = front.request(verb, path, json.dumps(body) if body is not None else None,
                                         content_type="application/json", **headers)
        return status, got, json.loads(raw or b"null")

    status, _, got = ask("POST", "/api/auth/login", {"tenant": meshlab.TENANT, "user": meshlab.USER, "password": lab.password})
    report.check("REST: login", status == 200 and got["token"], (status, got))
    bearer = "Bearer " + got.get("token", "")
    status, headers, got = ask("POST", "/api/mesh/devices", {"label": "by nginx"}, authorization=bearer)
    report.check("REST: a device", status == 201 and got["device"]["label"] == "by nginx", (status, got))
    status, _, got = ask("POST", "/api/mesh/devices", {"label": "by nginx"}, authorization=bearer)
    report.check("REST: refused with details", status == 409 and got["details"][0]["reason"] == "LABEL_TAKEN", (status, got))
    c = http.client.HTTPConnection("127.0.0.1", front.ports["web"], timeout=60)
    c.request("GET", "/api/mesh/events", headers={"authorization": bearer, "accept": "text/event-stream"})
    answer = c.getresponse()
    first = answer.read1(65536)
    report.check("REST: events", answer.status == 200 and b"data:" in first, (answer.status, first))
    c.close()


def drain(front, report, client, servers):
    """A server is told to end while it works: what runs is finished, what comes goes elsewhere."""
    pb = client.pb
    slow = pb.StreamingOutputCallRequest(
        response_parameters=[pb.ResponseParameters(size=5, interval_us=100000) for _ in range(10)])
    stream = client.stub.StreamingOutputCall(slow, timeout=30)
    next(stream)
    errors, n, stop = [], [0], threading.Event()

    def calls():
        while not stop.is_set():
            try:
                client.stub.UnaryCall(pb.SimpleRequest(response_size=100), timeout=60)
                n[0] += 1
            except client.grpc_error as e:
                errors.append(e)

    caller = threading.Thread(target=calls)
    caller.start()
    time.sleep(0.2)
    servers.processes["plain"].send_signal(signal.SIGTERM)
    left = len(list(stream))
    code = servers.processes["plain"].wait(90)
    after = n[0]
    while n[0] < after + 20 and not errors:
        time.sleep(0.02)
    stop.set()
    caller.join()
    report.check("drain: the stream was finished", left == 9, left)
    report.check("drain: no call was lost", not errors, (n[0], errors[:1]))
    report.check("drain: the server ended clean", code == 0, code)


def main():
    why = interop.missing() or meshlab.missing()
    if not why and not os.access(NGINX, os.X_OK):
        why = "nginx is not installed"
    if why:
        print("skipped: " + why)
        return 77
    meshlab.into_namespace()
    import grpc
    import test_interop_grpcio as grpcio
    report = interop.Report()
    with meshlab.Lab() as lab, interop.Servers() as servers:
        servers.start("second", [])
        with Front(servers.ports["plain"], servers.ports["second"], lab.node_port) as front:
            modules = grpcio.stubs(servers.dir.name)
            cases = [c for c in interop.CASES if c != "channel_soak"]
            interop_cases(front, report, modules, grpcio.Client, cases + list(grpcio.BEYOND))
            client = grpcio.Client(front, "plain", *modules)
            client.grpc_error = grpc.RpcError
            kept_connections(front, report, client)
            web(front, report)
            rest(front, report, lab)
            drain(front, report, client, servers)
            client.channel.close()
        for name in ("tls", "second"):
            servers.processes[name].terminate()
            report.check("%s ends clean" % name, servers.processes[name].wait(90) == 0)
        return lab.end(report)


if __name__ == "__main__":
    sys.exit(main())
