#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Connect's and Google's clients for pages, in Debian's Chromium: pages of one origin call servers of
another, over HTTP/1.1 in clear text and HTTP/2 with TLS. A configured origin is served, another is
refused by the browser."""
import base64
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading

import interop
import wire
from test_connect import install

AT = os.path.join(interop.HERE, "web")
N_CHECKS, N_STRANGER = 138, 6
LIMIT_S = 300
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--ignore-certificate-errors", "--remote-debugging-port=0"]


class Pages(http.server.ThreadingHTTPServer):
    """One origin: a page, its script, what it is to do; takes what it has to say."""

    daemon_threads = True

    def __init__(self, script, config):
        self.files = {"/": ("text/html", b"<!doctype html><title>t</title><script src=/page.js></script>"),
                      "/page.js": ("text/javascript", script)}
        self.config, self.result, self.done = config, "", threading.Event()
        super().__init__(("127.0.0.1", 0), Answers)
        self.origin = "http://localhost:%d" % self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answers(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, kind, body):
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/config.json":
            self.answer("application/json", json.dumps(self.server.config).encode())
        elif self.path in self.server.files:
            self.answer(*self.server.files[self.path])
        else:
            self.send_error(404)

    def do_POST(self):
        self.server.result = self.rfile.read(int(self.headers["content-length"])).decode()
        self.answer("text/plain", b"")
        self.server.done.set()


def bundle(at):
    out = at + "/page.js"
    subprocess.run([AT + "/node_modules/.bin/esbuild", AT + "/page.mjs", "--bundle", "--format=iife", "--outfile=" + out,
                    "--log-level=error"], check=True)
    with open(out, "rb") as f:
        return f.read()


def descriptors(at):
    out = at + "/all.binpb"
    subprocess.run(["protoc", "-I" + interop.HERE + "/../support/echo", "-I" + interop.PROTOS, "--include_imports",
                    "--descriptor_set_out=" + out, "echo.proto", "grpc/testing/test.proto"], check=True)
    with open(out, "rb") as f:
        return base64.b64encode(f.read()).decode()


def visit(report, name, pages, n_checks):
    with tempfile.TemporaryDirectory(prefix="qmesh-chromium-", ignore_cleanup_errors=True) as profile:
        with open(profile + "/log", "w+") as log:
            browser = subprocess.Popen(["chromium", *FLAGS, "--user-data-dir=" + profile, pages.origin + "/"],
                                       stdout=log, stderr=log, start_new_session=True,
                                       env=dict(os.environ, HOME=profile, XDG_CONFIG_HOME=profile, XDG_CACHE_HOME=profile))
            try:
                pages.done.wait(LIMIT_S)
            finally:
                browser.terminate()
                try:
                    browser.wait(20)
                except subprocess.TimeoutExpired:
                    browser.kill()
                    browser.wait()
            log.seek(0)
            said = log.read()[-800:]
    lines = pages.result.splitlines()
    for line in lines[:-1]:
        report.check(line[:200], line.startswith("ok "))
    report.check(name + ": every check was made", lines[-1:] == ["end"] and len(lines) == n_checks + 1,
                 (len(lines) - 1, said))


def main():
    why = interop.missing() or install(AT)
    if not why and not shutil.which("chromium"):
        why = "chromium is not installed"
    if why:
        print("skipped: " + why)
        return 77
    report = interop.Report()
    with tempfile.TemporaryDirectory(prefix="qmesh-page-") as at:
        script, config = bundle(at), {"descriptors": descriptors(at)}
        ours, stranger = Pages(script, config), Pages(script, {**config, "stranger": True})
        with wire.Server("--web", ours.origin) as echo, interop.Servers("--origins", ours.origin) as servers:
            for pages in (ours, stranger):
                pages.config["echo"] = {"plain": "http://localhost:%d" % echo.ports["plain"],
                                        "tls": "https://localhost:%d" % echo.ports["tls"]}
                pages.config["interop"] = {"plain": "http://localhost:%d" % servers.ports["plain"],
                                           "tls": "https://localhost:%d" % servers.ports["tls"]}
            visit(report, "our page", ours, N_CHECKS)
            visit(report, "a stranger's page", stranger, N_STRANGER)
            for pages in (ours, stranger):
                pages.shutdown()
                pages.server_close()
            status, said = echo.stop()
            report.check("the echo server ends clean", status == 0, (status, said))
            return servers.end(report)


if __name__ == "__main__":
    sys.exit(main())
