#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Certificates for HTTPS on the mesh as the Control Panel gives them: to nodes with their own
token, for their own name, judged by OpenSSL; what is no request is refused by its field; CAs
are another tenant's own, outlive restart and backup, and change in two steps or at once."""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from meshrpc import BUILD, PASSWORD, Daemon, Refused, enroll, http, login  # noqa: E402
from parts import run, run_all, summary  # noqa: E402


def refused(mesh, method, **fields):
    try:
        mesh.call(method, **fields)
    except Refused as r:
        return r
    return None


class Lab:
    def __init__(self):
        self.tmp = tempfile.mkdtemp(prefix="qmesh-test-certificates-")
        self.cp = Daemon().start()
        self.admin = self.cp.admin()
        self.nodes = {}
        for tenant, name in (("home", "Renée gate"), ("other", "renee-gate")):
            self.admin.call("CreateTenant", name=tenant, plan="PLAN_TEAM")
            self.admin.call("CreateUser", tenant=tenant, name="ann", password=PASSWORD, role="ROLE_ADMIN")
            self.nodes[tenant] = enroll(self.cp, self.admin, tenant, name)
        self.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "key.pem")
        self.openssl("req", "-new", "-key", "key.pem", "-subj", "/CN=bank.example", "-addext",
                     "subjectAltName=DNS:bank.example,DNS:evil.quazzar.mesh", "-outform", "DER", "-out", "csr")
        with open(self.path("csr"), "rb") as f:
            self.csr = f.read()

    def path(self, name):
        return os.path.join(self.tmp, name)

    def openssl(self, *args):
        return subprocess.run(["openssl", *args], cwd=self.tmp, check=True, capture_output=True, text=True).stdout

    def qmesh(self, *args):
        done = subprocess.run([os.path.join(BUILD, "bin", "qmesh"), "--server",
                               "unix:" + os.path.join(self.cp.dir, "admin.sock"), *args],
                              capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{args}: {done.stderr}"
        return done.stdout + done.stderr

    def agent(self, tenant="home"):
        return self.cp.mesh(self.nodes[tenant].agent_token)

    def issue(self, tenant="home", csr=None):
        mesh = self.agent(tenant)
        try:
            return mesh.call("IssueCertificate", csr=csr or self.csr).certificate
        finally:
            mesh.close()

    def ca(self, tenant="home"):
        mesh = login(self.cp, "ann", tenant)
        try:
            return mesh.call("GetMeshCa")
        finally:
            mesh.close()

    def verifies(self, chain, ca, *more):
        with open(self.path("chain.pem"), "w", encoding="ascii") as f:
            f.write(chain)
        with open(self.path("ca.pem"), "w", encoding="ascii") as f:
            f.write(ca)
        return subprocess.run(["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "ca.pem",
                               *more, "chain.pem"], cwd=self.tmp, capture_output=True, check=False).returncode == 0

    def close(self):
        assert self.cp.stop() == 0
        self.cp.remove()
        shutil.rmtree(self.tmp)


def a_node_is_given_its_own(lab):
    got, node = lab.issue(), lab.nodes["home"]
    for what in (("-verify_hostname", "renee-gate.quazzar.mesh"), ("-verify_ip", node.mesh_ip),
                 ("-verify_ip", node.mesh_ip6)):
        assert lab.verifies(got.chain, got.ca, *what), what
    for name in ("bank.example", "evil.quazzar.mesh", "quazzar.mesh"):
        assert not lab.verifies(got.chain, got.ca, "-verify_hostname", name), name
    assert "bank" not in lab.openssl("x509", "-in", "chain.pem", "-noout", "-text")
    assert "PRIVATE" not in got.chain + got.ca
    assert lab.openssl("x509", "-in", "chain.pem", "-noout", "-pubkey") == \
        lab.openssl("ec", "-in", "key.pem", "-pubout")


def people_are_shown_it(lab):
    got, shown = lab.issue(), lab.ca()
    assert shown.pem == got.ca == shown.certificates[0].pem
    assert "CN = home" in shown.certificates[0].subject
    with open(lab.path("ca.pem"), "w", encoding="ascii") as f:
        f.write(shown.pem)
    said = lab.openssl("x509", "-in", "ca.pem", "-noout", "-fingerprint", "-sha256").strip()
    assert said.split("=")[1].replace(":", "").lower() == shown.certificates[0].fingerprint
    token = login(lab.cp, "ann", "home").metadata[0][1]
    status, _, body = http(lab.cp, "GET", "/api/mesh/ca", headers={"authorization": token})
    assert status == 200 and body["pem"] == shown.pem and len(body["certificates"]) == 1, body
    assert http(lab.cp, "GET", "/api/mesh/ca")[0] == 401


def the_file_is_what_systems_install(lab):
    shown = lab.ca()
    token = login(lab.cp, "ann", "home").metadata[0][1]
    status, headers, body = http(lab.cp, "GET", "/api/mesh/ca?format=pem", headers={"authorization": token})
    assert status == 200 and body == shown.pem.encode(), body
    assert headers["content-type"] == "application/x-x509-ca-cert", headers
    assert headers["content-disposition"] == 'attachment; filename="quazzar-mesh.crt"', headers
    assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "no-store", headers
    with open(lab.path("quazzar-mesh.crt"), "wb") as f:
        f.write(body)
    assert "CN = home" in lab.openssl("x509", "-in", "quazzar-mesh.crt", "-noout", "-subject")
    status, headers, body = http(lab.cp, "GET", "/api/mesh/ca?format=json", headers={"authorization": token})
    assert status == 200 and body["pem"] == shown.pem and "content-disposition" not in headers, headers
    status, headers, body = http(lab.cp, "GET", "/api/mesh/ca?format=csv", headers={"authorization": token})
    assert status == 400 and "content-disposition" not in headers, (status, headers)
    assert "json or pem" in str(body), body
    # A refusal is no certificate, whatever was asked for.
    status, headers, body = http(lab.cp, "GET", "/api/mesh/ca?format=pem")
    assert status == 401 and headers["content-type"] == "application/json", headers
    assert "content-disposition" not in headers and b"BEGIN" not in str(body).encode(), headers


def tenants_have_their_own(lab):
    one, two = lab.issue(), lab.issue("other")
    assert one.ca != two.ca and lab.ca("other").pem == two.ca
    assert lab.verifies(two.chain, two.ca) and not lab.verifies(one.chain, two.ca)
    assert not lab.verifies(two.chain, one.ca)


def junk_is_refused(lab):
    lab.openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "rsa.pem", "-subj", "/CN=x", "-outform",
                "DER", "-out", "rsa")
    with open(lab.path("rsa"), "rb") as f:
        rsa = f.read()
    forged = bytearray(lab.csr)
    forged[-4] ^= 1
    mesh = lab.agent()
    for csr in (b"x", lab.csr[:-1], lab.csr + b"\0", bytes(forged), rsa, b"", b"x" * 4097):
        error = refused(mesh, "IssueCertificate", csr=csr)
        assert error and error.reason == "FIELD_INVALID" and "csr" in error.fields, (csr, error)
    mesh.close()
    for token in (None, "junk", login(lab.cp, "ann", "home").metadata[0][1].split()[1]):
        mesh = lab.cp.mesh(token)
        error = refused(mesh, "IssueCertificate", csr=lab.csr)
        assert error and error.reason in ("TOKEN_MISSING", "TOKEN_INVALID", "ROLE_REQUIRED"), error
        mesh.close()


def who_asks_too_often_waits(lab):
    greedy = enroll(lab.cp, lab.admin, "home", "greedy")
    mesh = lab.cp.mesh(greedy.agent_token)
    errors = [refused(mesh, "IssueCertificate", csr=b"x") for _ in range(60)]
    late = [e for e in errors if e.reason == "RATE_LIMITED"]
    assert errors[0].reason == "FIELD_INVALID" and late and late[0].retry_ms, errors
    mesh.close()
    lab.issue()


def a_removed_node_is_given_none(lab):
    gone = enroll(lab.cp, lab.admin, "home", "gone")
    mesh = lab.cp.mesh(gone.agent_token)
    mesh.call("IssueCertificate", csr=lab.csr)
    lab.qmesh("admin", "node", "remove", "home", "gone")
    error = refused(mesh, "IssueCertificate", csr=lab.csr)
    assert error and error.reason == "TOKEN_INVALID", error
    mesh.close()


def marks(stream):
    for response in stream:
        if response.event.type == "mesh.certificate":
            yield response.event.certificate.mark


def another_ca_in_two_steps(lab):
    before = lab.issue()
    mesh = lab.agent()
    stream = mesh.stream("Subscribe", timeout=120)
    told = marks(stream)
    assert next(told) == before.mark
    assert "qmesh ca" in lab.qmesh("admin", "key", "rotate", "ca")
    mark = next(told)
    between = lab.issue()
    assert mark == between.mark != before.mark and mark.split()[0] == before.mark, (mark, before.mark)
    assert between.ca.startswith(before.ca) and len(lab.ca().certificates) == 2
    assert lab.verifies(between.chain, before.ca), "the CA to come signs already"
    lab.qmesh("admin", "key", "rotate", "ca", "--switch")
    mark = next(told)
    after = lab.issue()
    assert mark == after.mark and mark.split() == between.mark.split()[::-1], (mark, between.mark)
    assert not lab.verifies(after.chain, before.ca) and lab.verifies(after.chain, between.ca)
    assert lab.verifies(before.chain, after.ca), "certificates of before are no good any more"
    stream.cancel()
    mesh.close()


def they_outlive_restart_and_backup(lab):
    key, file = lab.path("backup.key"), lab.path("backup")
    before, shown = lab.issue(), lab.ca()
    lab.qmesh("backup", "keygen", key)
    lab.qmesh("backup", "create", file, "--to", key + ".pub")
    assert lab.qmesh("backup", "verify", file, "--key", key)
    assert lab.cp.stop() == 0
    shutil.rmtree(os.path.join(lab.cp.dir, "state"))
    lab.qmesh("backup", "restore", file, "--key", key, "--state-dir", os.path.join(lab.cp.dir, "state"))
    lab.cp.start()
    lab.admin = lab.cp.admin()
    assert lab.ca().pem == shown.pem
    after = lab.issue()
    assert after.mark == before.mark and lab.verifies(after.chain, before.ca)


def a_leaked_one_ends_at_once(lab):
    before = lab.issue()
    lab.qmesh("admin", "key", "rotate", "ca", "--immediate")
    after = lab.issue()
    assert len(lab.ca().certificates) == 1 and " " not in after.mark
    assert not lab.verifies(after.chain, before.ca) and not lab.verifies(before.chain, after.ca)
    assert lab.verifies(after.chain, after.ca)


TESTS = [a_node_is_given_its_own, people_are_shown_it, the_file_is_what_systems_install,
         tenants_have_their_own, junk_is_refused, who_asks_too_often_waits,
         a_removed_node_is_given_none, another_ca_in_two_steps, they_outlive_restart_and_backup,
         a_leaked_one_ends_at_once]


def main():
    lab = Lab()
    if not run_all(TESTS, lab):
        print(lab.cp.log()[-3000:])
    run("clean end", lab.close)
    return summary()


if __name__ == "__main__":
    sys.exit(main())
