#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""docs/stubs.md as it stands: its commands and examples for Python, TypeScript and Go are run against
a node. What is not installed is skipped by name."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import interop
import meshlab
from test_connect import install

LABEL = "seen by the docs"
FILES = {"python": "devices.py", "ts": "devices.ts", "go": "devices.go"}
# Done once beforehand, from a lock file or into build/.
BEFOREHAND = ("npm install ", "go install ")
GO = shutil.which("go") or "/usr/local/go/bin/go"


def section(name):
    """[(language of a block, its text)] under a heading."""
    with open(os.path.join(interop.ROOT, "docs/stubs.md")) as f:
        text = re.search(r"^## %s\n(.*?)(?=^## |\Z)" % name, f.read(), re.S | re.M).group(1)
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.S | re.M)


def run(report, name, env, prepare=None):
    with tempfile.TemporaryDirectory(prefix="qmesh-docs-") as at:
        if prepare:
            prepare(at)
        said = ""
        for language, text in section(name):
            if language == "sh":
                script = "\n".join(line for line in text.splitlines() if not line.startswith(BEFOREHAND))
                done = subprocess.run(["bash", "-euc", script], cwd=at, env=env, capture_output=True, text=True,
                                      timeout=300, check=False)
                report.check("%s: commands" % name, done.returncode == 0, script[:80] + done.stderr[-600:])
                said = done.stdout
            else:
                with open(os.path.join(at, FILES[language]), "w") as f:
                    f.write(text)
        report.check("%s: the device is listed" % name, LABEL in said, said)
        report.check("%s: the reason is found" % name, "LABEL_INVALID" in said, said)


def go_tools():
    """A folder with Go's generators, or None and why not."""
    at = os.path.join(interop.ROOT, "build", "tools", "go")
    if not os.access(GO, os.X_OK):
        return None, "no Go"
    with open(os.path.join(interop.ROOT, "docs/stubs.md")) as f:
        wanted = re.findall(r"^go install (\S+)$", f.read(), re.M)
    stamp = os.path.join(at, "stubs")
    if not os.path.exists(stamp) or open(stamp).read() != " ".join(wanted):
        os.makedirs(at, exist_ok=True)
        for one in wanted:
            done = subprocess.run([GO, "install", one], capture_output=True, text=True, timeout=300, check=False,
                                  env=dict(os.environ, GOBIN=at, GOFLAGS="-modcacherw"))
            if done.returncode != 0:
                return None, "Go's generators cannot be built: " + done.stderr[-200:].replace("\n", " ")
        with open(stamp, "w") as f:
            f.write(" ".join(wanted))
    return at, None


def main():
    why = meshlab.missing()
    if why:
        print("skipped: " + why)
        return 77
    if os.environ.get("QMESH_IN_NETNS") != "1":
        # What is fetched is fetched before the network is gone.
        install(os.path.join(interop.HERE, "web"))
        at, why = go_tools()
        os.environ["QMESH_GO_TOOLS"] = at or ""
        if at and not fetch_modules(at):
            os.environ["QMESH_GO_TOOLS"] = ""
    meshlab.into_namespace()
    report = interop.Report()
    web = os.path.join(interop.HERE, "web/node_modules")
    with meshlab.Lab() as lab:
        mesh = lab.meshrpc.Mesh("127.0.0.1:%d" % lab.node_port)
        token = mesh.call("Login", tenant=meshlab.TENANT, user=meshlab.USER, password=lab.password).token
        mesh.metadata.append(("authorization", "Bearer " + token))
        mesh.call("CreateDevice", label=LABEL)
        env = dict(os.environ, PROTO=os.path.join(interop.ROOT, "proto"), TARGET=lab.doors[3][1], CA=lab.cert, TOKEN=token,
                   PATH="/usr/bin:" + os.environ["PATH"])  # Debian's python3 has Debian's grpcio
        run(report, "Python", env)
        if os.path.exists(web + "/.bin/protoc-gen-es"):
            run(report, "TypeScript", env, lambda at: os.symlink(web, at + "/node_modules"))
        else:
            print("skipped TypeScript: npm's packages are not there")
        tools = os.environ["QMESH_GO_TOOLS"]
        if tools:
            run(report, "Go", dict(env, GOFLAGS="-modcacherw", GOPROXY="off",
                                   PATH="%s:%s:%s" % (tools, os.path.dirname(GO), env["PATH"])))
        else:
            print("skipped Go: no Go here, or its generators and modules cannot be had")
        mesh.close()
        return lab.end(report)


def fetch_modules(tools):
    """Go's modules into its cache: the namespace has no way out."""
    with tempfile.TemporaryDirectory(prefix="qmesh-docs-") as at:
        blocks = section("Go")
        env = dict(os.environ, PROTO=os.path.join(interop.ROOT, "proto"), GOFLAGS="-modcacherw",
                   PATH="%s:%s:%s" % (tools, os.path.dirname(GO), os.environ["PATH"]))
        with open(at + "/devices.go", "w") as f:
            f.write(blocks[1][1])
        script = "\n".join(line for _, text in (blocks[0], blocks[2]) for line in text.splitlines()
                           if not line.startswith(("go install ", "go run ")))
        return subprocess.run(["bash", "-euc", script], cwd=at, env=env, capture_output=True, timeout=300,
                              check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
