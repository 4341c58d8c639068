#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Licences from the vendor's tool to the people's answers: signed by openssl,
installed over the socket, the command line and the file, over and past their
time. Each door says the same of plan, cap and features."""
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from meshrpc import (BUILD, PASSWORD, ROOT, Daemon, Refused, base64, enroll, http, login,
                     refused)  # noqa: E402
from parts import run, run_all, summary  # noqa: E402
from meshrpc import x25519  # noqa: E402

SIGN = os.path.join(ROOT, "scripts", "licence-sign")
FREE, PRO, TEAM, ENTERPRISE = 1, 2, 3, 4
VALID, GRACE, EXPIRED = 1, 2, 3
OPERATOR, LICENCE = 1, 2


def until(fn, what, seconds=20):
    for _ in range(seconds * 10):
        if fn():
            return
        time.sleep(0.1)
    raise AssertionError(f"never: {what}")


class Lab:
    def __init__(self, plan=0):
        self.dir = tempfile.mkdtemp(prefix="qmesh-licence-")
        self.key = os.path.join(self.dir, "vendor.key")
        self.keys_file = os.path.join(self.dir, "vendor-keys")
        self.file = os.path.join(self.dir, "licence.qml")
        self.keygen(self.key, self.keys_file)
        self.d = Daemon(["--provision-limit", "100", "--licence-vendor-key-file", self.keys_file,
                         "--licence-file", self.file]).start()
        self.admin = self.d.admin()
        self.ids = {}
        for tenant in ("acme", "other"):
            self.ids[tenant] = self.admin.call("CreateTenant", name=tenant, plan=plan).tenant.id
            self.admin.call("CreateUser", tenant=tenant, name="ann", password=PASSWORD, role=3)
            enroll(self.d, self.admin, tenant, "gw-one")
        self.panel = self.status().control_panel
        self.ann, self.oli = login(self.d, "ann", "acme"), login(self.d, "ann", "other")
        self.n = 0

    def restart(self):
        self.d.kill()
        self.d.start()
        self.admin = self.d.admin()
        self.ann = self.d.mesh(self.ann.metadata[0][1].split()[1])

    def keygen(self, key, keys_file=None):
        done = subprocess.run([SIGN, "keygen", key, "--name", "Example Ltd"], check=True,
                              capture_output=True, text=True)
        assert os.stat(key).st_mode & 0o777 == 0o600
        if keys_file:
            with open(os.open(keys_file, os.O_WRONLY | os.O_CREAT, 0o644), "w") as f:
                f.write(done.stdout)

    def sign(self, serial, plan="team", key=None, expires=None, **kw):
        args = [SIGN, "sign", key or self.key, "--licensee", "Acme GmbH", "--serial", str(serial),
                "--plan", plan]
        if "tenant" not in kw:
            kw.setdefault("control_panel", self.panel)
        if expires is not None:
            at = datetime.now(timezone.utc) + timedelta(seconds=expires)
            kw["expires"] = at.isoformat(timespec="milliseconds")
        for name, value in kw.items():
            args += ["--" + name.replace("_", "-"), str(value)]
        return subprocess.run(args, check=True, capture_output=True, text=True).stdout

    def status(self):
        return self.admin.call("GetLicence").status

    def tenant(self, name="acme"):
        return {t.name: t for t in self.status().tenants}[name]

    def install(self, text):
        return self.admin.call("InstallLicence", licence=text).status

    def install_for(self, seconds, serial, plan="team", **kw):
        """Ends so soon; a machine that was too slow to install it gets a longer one."""
        try:
            return self.install(self.sign(serial, plan, expires=seconds, **kw))
        except Refused as refusal:
            if refusal.meta.get("fault") != "expired" or seconds > 60:
                raise
            return self.install_for(seconds * 4, serial, plan, **kw)

    def add(self, count=1, who=None):
        for _ in range(count):
            self.n += 1
            (who or self.ann).call("CreateDevice", label=f"thing {self.n}",
                                   public_key=base64.b64encode(x25519()).decode())

    def put(self, text):
        with open(self.file + ".new", "w") as f:
            f.write(text)
        os.rename(self.file + ".new", self.file)

    def cli(self, *words, code=0):
        done = subprocess.run([os.path.join(BUILD, "bin", "qmesh"), *words, "--server",
                               "unix:" + os.path.join(self.d.dir, "admin.sock")],
                              capture_output=True, text=True)
        assert done.returncode == code, (words, done)
        return done.stdout + done.stderr

    def close(self):
        assert self.d.stop() == 0, self.d.log()[-2000:]
        log = self.d.log()
        assert "Sanitizer" not in log and "error err" not in log, log[-3000:]
        self.d.remove()
        subprocess.run(["rm", "-r", self.dir], check=True)


def nothing_installed(lab):
    s = lab.status()
    assert not s.HasField("licence") and s.state == 0 and re.fullmatch(r"[0-9a-f-]{36}", lab.panel)
    assert lab.tenant().plan == FREE and lab.tenant().cap == 3 and lab.tenant().plan_source == 0
    assert "none" in lab.cli("license", "show")


def refusals(lab):
    good = lab.sign(1)
    other = os.path.join(lab.dir, "other.key")
    lab.keygen(other)
    token = good.splitlines()[-1]
    head, body, signature = token.split(".")
    richer = base64.urlsafe_b64encode(base64.urlsafe_b64decode(body + "==").replace(
        b"PLAN_TEAM", b"PLAN_FREE")).decode().rstrip("=")
    days = 86400
    table = {
        "format": ["hello", "a.b", token + "\n" + token],
        "unknown-key": [lab.sign(1, key=other), f"{head[:-4]}AAAA.{body}.{signature}",
                        "eyJhbGciOiJub25lIn0." + body + "."],
        "signature": [f"{head}.{richer}.{signature}", token[:-6] + "AAAAAA"],
        "unknown-plan": [],
        "wrong-control-panel": [lab.sign(1, control_panel=lab.ids["acme"])],
        "wrong-tenant": [lab.sign(1, tenant=lab.panel)],
        "not-yet-valid": [lab.sign(1, not_before="2125-01-01")],
        "expired": [lab.sign(1, expires=-60), lab.sign(1, expires=-400 * days)],
        "unknown-feature": [lab.sign(1, feature="teleport")],
    }
    for fault, texts in table.items():
        for text in texts:
            for method in ("VerifyLicence", "InstallLicence"):
                refusal = refused("LICENCE_INVALID", lab.admin.call, method, licence=text)
                assert refusal.meta["fault"] == fault, (fault, refusal.meta, refusal.words)
                assert refusal.code == "FAILED_PRECONDITION" and refusal.words.endswith(".")
    assert not lab.status().HasField("licence") and lab.tenant().plan == FREE
    path = os.path.join(lab.dir, "bad.qml")
    with open(path, "w") as f:
        f.write(lab.sign(1, expires=-60))
    assert "expired on" in lab.cli("license", "verify", path, code=10)
    for caller in (lab.ann, lab.d.mesh()):
        try:
            caller.call("GetLicence")
            raise AssertionError("an operator's method for others")
        except Refused:
            pass


def installed(lab):
    generation = {t.name: t.generation for t in lab.admin.call("ListTenants").tenants}
    seen = lab.admin.call("VerifyLicence", licence=lab.sign(5, "pro"))
    assert seen.licence.serial == 5 and seen.licence.plan == PRO and not seen.in_force
    assert seen.vendor == "Example Ltd" and lab.tenant().plan == FREE
    text = lab.sign(5, "pro", expires=86400)
    status = lab.install(text)
    assert status.state == VALID and status.licence.licensee == "Acme GmbH" and status.own_vendor
    assert status.licence.grace_days == 14
    for tenant in ("acme", "other"):
        t = lab.tenant(tenant)
        assert (t.plan, t.cap, t.plan_source) == (PRO, 20, LICENCE), t
    after = {t.name: t.generation for t in lab.admin.call("ListTenants").tenants}
    assert after == {name: n + 1 for name, n in generation.items()}
    assert lab.install(text).licence.serial == 5
    assert {t.name: t.generation for t in lab.admin.call("ListTenants").tenants} == after
    assert lab.admin.call("VerifyLicence", licence=text).in_force
    for serial in (4, 5):
        refusal = refused("LICENCE_INVALID", lab.install, lab.sign(serial))
        assert refusal.meta["fault"] == "older-serial", refusal.meta
    assert lab.ann.call("WhoAmI").plan == PRO
    assert lab.ann.call("GetState").state.licence_state == VALID
    # Killed and started again: it is in force.
    lab.restart()
    assert lab.status().licence.serial == 5 and lab.tenant().plan == PRO
    shown = lab.cli("license", "show")
    for word in ("Acme GmbH", "valid", "pro", "Example Ltd", "licence_vendor_key_file", lab.panel):
        assert word in shown, (word, shown)


def one_tenant(lab):
    lab.install(lab.sign(6, "enterprise", tenant=lab.ids["acme"]))
    assert (lab.tenant().plan, lab.tenant().cap) == (ENTERPRISE, 0)
    assert (lab.tenant("other").plan, lab.tenant("other").plan_source) == (FREE, 0)
    lab.install(lab.sign(7, "pro", device_cap=5, feature="audit_log"))
    assert (lab.tenant().plan, lab.tenant().cap) == (PRO, 5)
    lab.ann.call("ListAudit")
    features = lab.ann.call("GetOrbitFeatures").features
    assert features["audit_log"].enabled and features["audit_log"].why == "granted by the licence"
    assert features["mesh_vpn"].cap == 5


def trials(lab):
    """The later word wins: a trial stands above the licence until the next one comes."""
    lab.admin.call("UpdateTenant", tenant="acme", plan=ENTERPRISE)
    assert (lab.tenant().plan, lab.tenant().plan_source) == (ENTERPRISE, OPERATOR)
    lab.restart()
    assert (lab.tenant().plan, lab.tenant().plan_source) == (ENTERPRISE, OPERATOR)
    lab.admin.call("UpdateTenant", tenant="acme", end_trial=True)
    assert (lab.tenant().plan, lab.tenant().plan_source, lab.tenant().cap) == (PRO, LICENCE, 5)
    lab.cli("admin", "tenant", "set-plan", "acme", "free")
    assert (lab.tenant().plan, lab.tenant().plan_source) == (FREE, OPERATOR)
    lab.install(lab.sign(8, "team"))
    assert (lab.tenant().plan, lab.tenant().plan_source) == (TEAM, LICENCE)
    lab.cli("admin", "tenant", "set-plan", "acme", "pro")
    lab.cli("admin", "tenant", "set-plan", "acme", "licence")
    assert (lab.tenant().plan, lab.tenant().plan_source) == (TEAM, LICENCE)
    for bad in ({}, {"plan": PRO, "end_trial": True}):
        refused("FIELD_INVALID", lab.admin.call, "UpdateTenant", tenant="acme", **bad)
    made = lab.admin.call("CreateTenant", name="third").tenant
    assert (made.plan, made.plan_source, made.cap) == (TEAM, LICENCE, 100)
    made = lab.admin.call("CreateTenant", name="fourth", plan=PRO).tenant
    assert (made.plan, made.plan_source, made.cap) == (PRO, OPERATOR, 20)


def from_file(lab):
    lab.put(lab.sign(10, "pro"))
    until(lambda: lab.status().licence.serial == 10, "the file is noticed")
    lab.put(lab.sign(9, "team"))
    until(lambda: "serial 9" in lab.status().file_problem, "an older one is told")
    assert lab.status().licence.serial == 10
    assert "serial 9" in lab.cli("license", "show")
    lab.put(lab.sign(11, "team", not_before="2125-01-01"))
    until(lambda: "begins on" in lab.status().file_problem, "one that begins later waits")
    lab.put(lab.sign(11, "team", not_before=(datetime.now(timezone.utc) + timedelta(
        seconds=3)).isoformat(timespec="milliseconds")))
    until(lambda: lab.status().licence.serial == 11, "and begins")
    # One change: who sees the licence sees no problem of the file.
    assert lab.status().file_problem == ""
    until(lambda: lab.tenant().plan == TEAM, "its plan")
    os.unlink(lab.file)
    until(lambda: "No such file" in lab.status().file_problem, "a file that is gone is told")
    assert lab.status().licence.serial == 11 and lab.tenant().plan == TEAM
    # A new vendor key, by SIGHUP.
    new = os.path.join(lab.dir, "new.key")
    line = subprocess.run([SIGN, "keygen", new, "--name", "Second Ltd"], check=True,
                          capture_output=True, text=True).stdout
    text = lab.sign(12, "pro", key=new)
    assert refused("LICENCE_INVALID", lab.install, text).meta["fault"] == "unknown-key"
    with open(lab.keys_file, "a") as f:
        f.write(line)
    lab.put(text)
    until(lambda: "No vendor key" in lab.status().file_problem, "an unknown key is told")
    lab.d.process.send_signal(signal.SIGHUP)
    until(lambda: lab.status().licence.serial == 12, "SIGHUP")
    assert lab.status().file_problem == ""
    assert lab.status().vendor == "Second Ltd"
    # A list that others may write is not taken, and the daemon stays as it is.
    os.chmod(lab.keys_file, 0o666)
    lab.d.process.send_signal(signal.SIGHUP)
    until(lambda: "nobody else may write" in lab.d.log(), "the list is refused")
    assert lab.status().licence.serial == 12
    os.chmod(lab.keys_file, 0o644)


def downgrade(lab):
    """New devices stop, running ones go on, and everybody is told."""
    lab.install(lab.sign(20, "team"))
    lab.add(25)
    lab.install(lab.sign(21, "pro"))
    state = lab.ann.call("GetState").state
    assert (state.devices_used, state.devices_cap, state.plan) == (25, 20, PRO)
    assert [n[:26] for n in state.notices] == ["Over cap: 25 of 20 devices"], state.notices
    bearer = {"authorization": lab.ann.metadata[0][1]}
    body = http(lab.d, "GET", "/api/mesh/state", None, bearer)[2]
    assert body["notices"] == list(state.notices) and body["plan_source"] == "PLAN_SOURCE_LICENCE"
    refusal = refused("DEVICE_CAP_REACHED", lab.add)
    assert refusal.meta == {"limit": "20", "used": "25", "plan": "Pro"}
    assert "over cap" in refusal.words
    features = http(lab.d, "GET", "/api/license/orbit-features", None, bearer)[2]["features"]
    assert features["mesh_vpn"]["enabled"] and features["mesh_vpn"]["used"] == 25
    assert features["mesh_vpn"]["why"].endswith("over cap: 25 of 20")
    assert features["audit_log"] == {"enabled": False, "cap": 0, "used": 0,
                                     "why": "needs the Team plan"}
    devices = lab.ann.call("ListDevices").devices
    assert len(devices) == 25
    # What runs goes on: rotated, renamed, removed.
    own = base64.b64encode(x25519()).decode()
    lab.ann.call("RotateDeviceKey", id=devices[0].id, public_key=own)
    lab.ann.call("UpdateDevice", id=devices[0].id, label="still here")
    for device in devices[:5]:
        lab.ann.call("DeleteDevice", id=device.id)
    assert not lab.ann.call("GetState").state.notices
    refused("DEVICE_CAP_REACHED", lab.add)
    lab.ann.call("DeleteDevice", id=devices[5].id)
    lab.add()


def tiers_over_every_protocol(lab):
    """A plan without the audit says so, and which plan has it, whatever is spoken."""
    lab.install(lab.sign(30, "pro"))
    refusal = refused("PLAN_LACKS_FEATURE", lab.ann.call, "ListAudit")
    want = {"feature": "audit_log", "needs": "Team", "plan": "Pro"}
    assert refusal.meta == want and "Team plan" in refusal.words, (refusal.meta, refusal.words)
    bearer = {"authorization": lab.ann.metadata[0][1]}
    for query in ("", "?format=csv", "?format=ndjson"):
        status, _, body = http(lab.d, "GET", "/api/mesh/audit" + query, None, bearer)
        info = [d for d in body["details"] if d["@type"].endswith("ErrorInfo")][0]
        assert status == 403 and info["reason"] == "PLAN_LACKS_FEATURE", body
        assert info["metadata"] == want, info
    path = "/quazzar.mesh.v1.MeshService/ListAudit"
    status, _, body = http(lab.d, "POST", path, {}, dict(bearer, **{"connect-protocol-version": "1"}))
    assert status == 403 and body["code"] == "permission_denied", (status, body)
    assert "Team plan" in body["message"]
    status, _, body = http(lab.d, "POST", path, b"\0\0\0\0\0", dict(
        bearer, **{"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}))
    assert status == 200 and b"grpc-status: 7" in body.replace(b":7", b": 7"), (status, body)
    lab.install(lab.sign(31, "team"))
    assert lab.ann.call("ListAudit").entries
    status, headers, body = http(lab.d, "GET", "/api/mesh/audit?format=csv", None, bearer)
    assert status == 200 and headers["content-type"].startswith("text/csv")


def expiry():
    """Grace, then Free; a licence that comes later mends it. What runs goes on."""
    lab = Lab()
    try:
        lab.install_for(3, 1, grace_days=1)
        lab.add(5)
        until(lambda: lab.status().state == GRACE, "grace", 90)
        until(lambda: lab.tenant().notices, "the tenant is told")
        assert lab.tenant().plan == TEAM
        lab.add()
        notice = lab.ann.call("GetState").state.notices[0]
        assert notice.startswith("The licence expired on ") and "goes on until" in notice, notice
        assert lab.ann.call("GetState").state.licence_state == GRACE
        lab.install_for(2, 2, grace_days=0)
        # grace_days 0 is left out of the file, and the tool's 14 is not the format's.
        until(lambda: lab.status().state == EXPIRED, "the end", 90)
        until(lambda: lab.tenant().plan == FREE, "Free")
        state = lab.ann.call("GetState").state
        assert (state.devices_used, state.devices_cap) == (6, 3)
        assert len(state.notices) == 2 and "its grace is over" in state.notices[1], state.notices
        refusal = refused("DEVICE_CAP_REACHED", lab.add)
        assert refusal.meta["plan"] == "Free"
        assert len(lab.ann.call("ListDevices").devices) == 6
        refused("PLAN_LACKS_FEATURE", lab.ann.call, "ListAudit")
        features = lab.ann.call("GetOrbitFeatures").features
        assert "the licence for the Team plan expired on" in features["audit_log"].why
        lab.restart()
        assert lab.status().state == EXPIRED and lab.tenant().plan == FREE
        # A trial bridges it; the next licence ends the trial.
        lab.admin.call("UpdateTenant", tenant="acme", plan=PRO)
        assert not lab.ann.call("GetState").state.notices
        lab.add()
        lab.install(lab.sign(3, "team"))
        assert (lab.tenant().plan, lab.tenant().plan_source) == (TEAM, LICENCE)
        rows = [(r.action, r.object) for r in lab.ann.call("ListAudit", page_size=50).entries]
        assert ("licence.apply", "Free") in rows and rows[0] == ("licence.apply", "Team"), rows
    finally:
        lab.close()


def clock_set_back():
    """A time that was here already counts, whatever the clock says now."""
    lab = Lab()
    try:
        lab.install(lab.sign(1, "team", expires=30 * 86400, grace_days=0))
        assert (lab.status().state, lab.tenant().plan) == (VALID, TEAM)
        path = os.path.join(lab.d.dir, "state", "store.db")
        for ahead_s, state, plan in ((60 * 86400, EXPIRED, FREE), (-86400, VALID, TEAM)):
            assert lab.d.stop() == 0
            store = sqlite3.connect(path, isolation_level=None, timeout=60)
            store.execute("UPDATE licence SET latest_ms = ?", (int((time.time() + ahead_s) * 1000),))
            store.close()
            lab.restart()
            assert (lab.status().state, lab.tenant().plan) == (state, plan), ahead_s
        assert lab.d.log().count("the clock is behind") == 1
    finally:
        lab.close()


def hold(lab):
    """The store's lock for writers."""
    store = sqlite3.connect(os.path.join(lab.d.dir, "state", "store.db"), isolation_level=None,
                            timeout=60)
    store.execute("BEGIN IMMEDIATE")
    return store


def locked():
    """A store that takes no writes for a while: what it missed is made up for."""
    dated, filed = Lab(), Lab()
    for serial, seconds in enumerate((2, 8, 32), 1):
        dated.install_for(seconds, serial, grace_days=0)
        locks = [hold(dated)]
        if dated.tenant().plan == TEAM:
            break
        locks.pop().close()
    locks.append(hold(filed))
    filed.put(filed.sign(1, "team"))
    until(lambda: "could not be brought up" in dated.d.log(), "the plans are not settled", 90)
    until(lambda: filed.status().file_problem, "the file is not taken", 40)
    assert dated.tenant().plan == TEAM and filed.tenant().plan == FREE
    for store in locks:
        store.rollback()
        store.close()
    until(lambda: dated.tenant().plan == FREE, "the date that passed meanwhile", 40)
    until(lambda: filed.tenant().plan == TEAM and not filed.status().file_problem,
          "the file that came meanwhile", 40)
    for lab in (dated, filed):
        assert lab.d.stop() == 0 and "Sanitizer" not in lab.d.log(), lab.d.log()[-2000:]
        lab.d.remove()
        subprocess.run(["rm", "-r", lab.dir], check=True)


def bad_start():
    """Keys that others may write, or that are none: the daemon says so and does not start."""
    with tempfile.TemporaryDirectory() as tmp:
        path = os.path.join(tmp, "keys")
        for content, mode, words in (("x y\n", 0o644, "base64"), ("", 0o646, "nobody else"),
                                     (None, 0, "No such file")):
            if content is not None:
                with open(path, "w") as f:
                    f.write(content)
                os.chmod(path, mode)
            elif os.path.exists(path):
                os.unlink(path)
            d = Daemon(["--licence-vendor-key-file", path])
            try:
                d.start()
                raise AssertionError(f"started with {content!r} {mode:o}")
            except RuntimeError as error:
                assert words in str(error), error
            finally:
                d.remove()


def main():
    lab = Lab()
    run_all((nothing_installed, refusals, installed, one_tenant, trials, from_file, downgrade,
             tiers_over_every_protocol), lab)
    run("clean end", lab.close)
    run_all((expiry, clock_set_back, locked, bad_start))
    return summary()


if __name__ == "__main__":
    sys.exit(main())
