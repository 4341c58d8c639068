#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
TLS as it is offered: 1.2 and 1.3 with forward secrecy and nothing older, no session
that could move between listeners, no renegotiation, no protocol but ours; and a
listener that runs out of descriptors waits instead of spinning.
"""
import resource
import ssl
import subprocess
import sys
import time
import warnings

from wire import END_HEADERS, END_STREAM, H1, H2, HEADERS, Report, Server, ended, frame, head, message, status_of

warnings.simplefilter("ignore", DeprecationWarning)  # of the versions that must be refused

GET = b"GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n"


def connect(server, version=None, ciphers=None, alpn=("h2",), session=None, context=None):
    if not context:
        context = ssl.create_default_context(cafile=server.dir.name + "/cert.pem")
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if version:
            context.minimum_version = context.maximum_version = version
        if ciphers:
            context.set_ciphers(ciphers)
    ports = server.ports
    server.ports = dict(ports, plain=ports["tls"])
    try:
        raw = server.socket("plain")
    finally:
        server.ports = ports
    return context.wrap_socket(raw, server_hostname="localhost", session=session), context


def refused(server, **how):
    try:
        connect(server, **how)[0].close()
    except (ssl.SSLError, OSError) as e:
        return e
    return None


def t_versions(server, check):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        s, _ = connect(server, version)
        check("%s is spoken" % version.name, s.selected_alpn_protocol() == "h2", s.version())
        s.close()
    # @SECLEVEL=0, or this side would refuse by itself.
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        check("%s is not" % version.name, refused(server, version=version, ciphers="ALL:@SECLEVEL=0"))
    for ciphers in ("AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES128-SHA", "DHE-RSA-AES128-GCM-SHA256"):
        check(ciphers + " is not", refused(server, version=ssl.TLSVersion.TLSv1_2, ciphers=ciphers + ":@SECLEVEL=0"))


def t_alpn(server, check):
    check("an unknown protocol is refused", refused(server, alpn=("spdy/3", "h3")))
    s, _ = connect(server, alpn=("http/1.1", "h2"))
    check("the server prefers HTTP/2", s.selected_alpn_protocol() == "h2", s.selected_alpn_protocol())
    s.close()
    s, _ = connect(server, alpn=())
    s.sendall(GET)
    check("without ALPN it is HTTP/1.1", s.recv(100).startswith(b"HTTP/1.1 200 "))
    s.close()


def t_resumption(server, check):
    """CVE-2023-41337: a session must not lead from one listener to another, so there is none."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        s, context = connect(server, version, alpn=("http/1.1",))
        s.sendall(GET)
        s.recv(100)
        session = s.session
        s.close()
        if version == ssl.TLSVersion.TLSv1_3:
            check("no ticket in TLS 1.3", session is None or not session.has_ticket, session)
        if session:
            s, _ = connect(server, session=session, context=context)
            check("%s is not resumed" % version.name, not s.session_reused)
            s.close()


def t_renegotiation(server, check):
    run = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % server.ports["tls"], "-tls1_2", "-alpn", "http/1.1"],
                         input=b"R\n", capture_output=True, timeout=30)
    text = run.stdout + run.stderr
    # h2o ends the connection over it; the client reads that as an error.
    check("no renegotiation", b"RENEGOTIATING" in text and b"error" in text.split(b"RENEGOTIATING")[1], text[-300:])


def t_name(server, check):
    """No answer tells what made it."""
    c = H1(server, "tls")
    c.send(GET)
    check("no server field over HTTP/1.1", "server" not in c.answer()[1])
    c = H2(server, "tls")
    c.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, head("/x", "text/plain", method="GET")))
    seen = c.until(lambda f: ended(f, 1))
    check("nor over HTTP/2", not any(b"\x06server" in f[3] for f in seen if f[0] == HEADERS), seen)


def t_descriptors(server, check):
    """With none left nothing is accepted; no loop spins on it, and service goes on when some are free."""
    held = [H1(server, "plain")]
    held[0].send(GET)
    held[0].answer()
    old = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (48, resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)[1]))
    for _ in range(80):
        held.append(H1(server, "plain"))
    time.sleep(0.5)
    before = server.cpu_ticks()
    time.sleep(2)
    used = server.cpu_ticks() - before
    check("no spinning without descriptors", used < 60, "%d ticks of 200" % used)
    held[0].send(GET)
    first = held[0].answer()
    check("who is in is served", first and first[0] == 200, first)
    for c in held[1:]:
        c.close()
    seen = H2(server, "plain").call("Unary", message(n=1))
    check("and others when some are free", status_of(seen) == 0, seen)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, old)


def main():
    report = Report()
    with Server() as server:
        for name, test in list(globals().items()):
            if name.startswith("t_") and (len(sys.argv) < 2 or name in sys.argv[1:]):
                test(server, report.check)
        report.check("the server stands", server.alive(), server.said())
        status, said = server.stop()
        report.check("ends clean", status == 0, (status, said[-2000:]))
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
