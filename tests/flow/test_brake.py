#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""http2 = off, the emergency brake of the Control Panel: HTTP/1.1 goes on over every listener, nobody
gets HTTP/2 from outside, and operators come in by the socket as before."""
import http.client
import os
import socket
import ssl
import sys
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from meshrpc import PASSWORD, Daemon, Refused, http as ask  # noqa: E402

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
LOGIN = {"tenant": "home", "user": "ann", "password": PASSWORD}


def tls(daemon, *protocols):
    context = ssl.create_default_context(cafile=os.path.join(daemon.dir, "state", "ca.pem"))
    context.check_hostname = False
    context.set_alpn_protocols(protocols)
    return context.wrap_socket(socket.create_connection(("127.0.0.1", daemon.tls_port), 60))


def t_http1(daemon):
    assert ask(daemon, "GET", "/healthz")[0] == 200
    status, _, body = ask(daemon, "POST", "/quazzar.mesh.v1.AuthService/Login", LOGIN)
    assert status == 200 and body["token"], (status, body)


def t_tls(daemon):
    with tls(daemon, "h2", "http/1.1") as s:
        assert s.selected_alpn_protocol() == "http/1.1", s.selected_alpn_protocol()
        s.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        answer = http.client.HTTPResponse(s)
        answer.begin()
        assert answer.status == 200, answer.status
    try:
        with tls(daemon, "h2") as s:
            assert s.selected_alpn_protocol() != "h2"
    except (ssl.SSLError, ConnectionError):
        pass # no protocol in common


def t_no_http2(daemon):
    """By prior knowledge: never a frame in answer."""
    with socket.create_connection(("127.0.0.1", daemon.port), 60) as s:
        s.sendall(PREFACE)
        try:
            got = s.recv(1024)
        except ConnectionError:
            got = b""
        assert got == b"" or got.startswith(b"HTTP/1.1"), got
    with tls(daemon, "http/1.1") as s:
        s.sendall(PREFACE)
        try:
            got = s.recv(1024)
        except (ssl.SSLError, ConnectionError):
            got = b""
        assert got == b"" or got.startswith(b"HTTP/1.1"), got
    try:
        daemon.mesh().call("Login", **LOGIN)
    except Refused as refusal:
        assert refusal.code == "UNAVAILABLE", refusal
    else:
        raise AssertionError("gRPC although HTTP/2 is off")


def t_operator(daemon):
    admin = daemon.admin()
    admin.call("CreateUser", tenant="home", name="bob", password=PASSWORD, role="ROLE_MEMBER")
    admin.close()


def main():
    daemon, results = Daemon(), []
    daemon.start()
    admin = daemon.admin()
    admin.call("CreateTenant", name="home", plan="PLAN_TEAM")
    admin.call("CreateUser", tenant="home", name="ann", password=PASSWORD, role="ROLE_ADMIN")
    admin.close()
    daemon.stop()
    daemon.extra += ["--http2", "off"]
    daemon.start()
    for case in (t_http1, t_tls, t_no_http2, t_operator):
        try:
            case(daemon)
            results.append(True)
        except Exception:  # noqa: BLE001
            results.append(False)
            print("FAIL " + case.__name__)
            traceback.print_exc()
    if daemon.stop() != 0 or "Sanitizer" in daemon.log():
        results.append(False)
        print(daemon.log()[-2000:])
    daemon.remove()
    print(f"passed {sum(results)} failed {len(results) - sum(results)} skipped 0")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
