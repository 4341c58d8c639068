#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Service tokens over every door: what they may, what they never may, and how
they end. And tenants that demand their own sign-in."""
import os
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from meshrpc import BUILD, PASSWORD, Daemon, enroll, http, login, refused  # noqa: E402
from parts import run, run_all, summary  # noqa: E402

MEMBER, AUDITOR, ADMIN = 1, 2, 3


class Lab:
    def __init__(self):
        self.d = Daemon(["--provision-limit", "100"]).start()
        self.admin = self.d.admin()
        for tenant in ("acme", "other"):
            self.admin.call("CreateTenant", name=tenant, plan=4)
            for name, role in (("ann", 3), ("bob", 1), ("eve", 1), ("aud", 2)):
                self.admin.call("CreateUser", tenant=tenant, name=name, password=PASSWORD, role=role)
        self.node = enroll(self.d, self.admin, "acme", "gw-one")
        self.other_node = enroll(self.d, self.admin, "other", "gw-one")
        self.ann, self.bob, self.eve, self.aud = (
            login(self.d, name, "acme") for name in ("ann", "bob", "eve", "aud"))
        self.oli = login(self.d, "ann", "other")

    def make(self, who, name, **kw):
        made = who.call("CreateServiceToken", name=name, **kw)
        assert re.fullmatch(r"qms1\.[0-9a-f]{32}\.[0-9a-f]{64}", made.token)
        return made

    def close(self):
        assert self.d.stop() == 0, self.d.log()[-2000:]
        log = self.d.log()
        assert "Sanitizer" not in log and "error err" not in log, log[-3000:]
        self.d.remove()


def works(lab):
    made = lab.make(lab.bob, "backup job")
    assert made.info.role == MEMBER and made.info.user == "bob" and not made.info.methods
    life = made.info.expires_at.seconds - made.info.created_at.seconds
    assert life == 90 * 86400
    robot = lab.d.mesh(made.token)
    who = robot.call("WhoAmI")
    assert (who.user, who.role, who.tenant) == ("bob", MEMBER, "acme")
    device = robot.call("CreateDevice", label="made by a robot").device
    assert device.owner.name == "bob"
    bearer = {"authorization": "Bearer " + made.token}
    assert [d["label"] for d in http(lab.d, "GET", "/api/mesh/devices", None, bearer)[2]] == \
        ["made by a robot"]
    path = "/quazzar.mesh.v1.MeshService/GetState"
    assert http(lab.d, "POST", path, {}, dict(bearer, **{"connect-protocol-version": "1"}))[0] == 200
    robot.call("DeleteDevice", id=device.id)
    rows = [(r.action, r.actor) for r in lab.ann.call("ListAudit", page_size=5).entries]
    assert ("device.create", "bob (token backup job)") in rows, rows
    assert ("token.create", "bob") in rows, rows
    for _ in range(600):
        seen = lab.bob.call("ListServiceTokens").tokens[0]
        if seen.last_used_at.seconds:
            break
        time.sleep(0.1)
    assert seen.last_used_at.seconds >= made.info.created_at.seconds
    # Through a node: beside its token; not in its place.
    through = lab.d.mesh(lab.node.agent_token, user=made.token)
    assert through.call("WhoAmI").user == "bob"
    assert [d.label for d in through.call("ListDevices").devices] == []
    stranger = lab.d.mesh(lab.other_node.agent_token, user=made.token)
    refused("TOKEN_INVALID", stranger.call, "WhoAmI")


def hashed(lab):
    made = lab.make(lab.bob, "hashed")
    secret = made.token.split(".")[2]
    for folder, _, names in os.walk(os.path.join(lab.d.dir, "state")):
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.isfile(path):
                continue
            with open(path, "rb") as f:
                content = f.read()
            assert secret.encode() not in content and bytes.fromhex(secret) not in content, name
    assert secret not in lab.d.log()
    seen = [t for t in lab.bob.call("ListServiceTokens").tokens if t.name == "hashed"]
    assert len(seen) == 1 and secret not in str(seen)


def scopes(lab):
    robot = lab.d.mesh(lab.make(lab.ann, "reader", role=AUDITOR, methods=[
        "MeshService.ListDevices", "MeshService.GetState"]).token)
    robot.call("ListDevices", all=True)
    robot.call("GetState")
    robot.call("WhoAmI")
    for method, kw in (("ListAudit", {}), ("CreateDevice", {"label": "x"}), ("ListNodes", {}),
                       ("ChangePassword", {"old_password": PASSWORD, "new_password": "y" * 12}),
                       ("CreateServiceToken", {"name": "x"}), ("ListServiceTokens", {}),
                       ("RevokeServiceToken", {"id": lab.ann.call("WhoAmI").user_id}),
                       ("Logout", {}), ("ListTenants", {}), ("GetLicence", {})):
        assert refused("ROLE_REQUIRED", robot.call, method, **kw).code == "PERMISSION_DENIED"
    every = lab.d.mesh(lab.make(lab.ann, "every").token)
    every.call("ListAudit")
    for method, kw in (("CreateServiceToken", {"name": "x"}), ("Logout", {}),
                       ("ChangePassword", {"old_password": PASSWORD, "new_password": "y" * 12})):
        refused("ROLE_REQUIRED", every.call, method, **kw)
    # No more than one's own role; an admin may give less.
    for role in (AUDITOR, ADMIN):
        refused("ROLE_REQUIRED", lab.bob.call, "CreateServiceToken", name="more", role=role)
    refused("ROLE_REQUIRED", lab.aud.call, "CreateServiceToken", name="more", role=MEMBER)
    less = lab.d.mesh(lab.make(lab.ann, "less", role=MEMBER).token)
    refused("ROLE_REQUIRED", less.call, "ListDevices", all=True)
    for field, kw in (("name", {"name": "a\nb"}), ("name", {"name": ""}), ("role", {"role": 9}),
                      ("methods[0]", {"methods": ["AdminService.ListTenants"]}),
                      ("methods[1]", {"methods": ["MeshService.ListDevices", "*"]}),
                      ("life_s", {"life_s": 59}), ("life_s", {"life_s": 31536001})):
        refusal = refused("FIELD_INVALID", lab.ann.call, "CreateServiceToken",
                          **dict({"name": "bad"}, **kw))
        assert field in refusal.fields, (field, refusal.fields)
    refused("LABEL_TAKEN", lab.ann.call, "CreateServiceToken", name="every")
    lab.make(lab.bob, "every")


def forged(lab):
    token = lab.make(lab.bob, "genuine").token
    _, id_, secret = token.split(".")
    other = lab.make(lab.bob, "another").token.split(".")
    flipped = secret[:-1] + ("0" if secret[-1] != "0" else "1")
    for bad in ("qms1.", "qms1..", f"qms1.{id_}.", f"qms1.{id_}.{flipped}", f"qms1.{id_}.{other[2]}",
                f"qms1.{other[1]}.{secret}", f"qms1.{id_}.{secret}0", f"qms1.{id_}.{secret[:-2]}",
                f"qms2.{id_}.{secret}", f"qms1.{'0' * 32}.{secret}", token + ".", "qms1." + "0" * 97):
        refused("TOKEN_INVALID", lab.d.mesh(bad).call, "GetState")
    assert lab.d.mesh(token.upper().replace("QMS1", "qms1")).call("WhoAmI").user == "bob"


def ends(lab):
    made = lab.make(lab.bob, "to be revoked")
    robot = lab.d.mesh(made.token)
    stream = robot.stream("WatchState")
    next(iter(stream))
    refused("NOT_OWNER", lab.eve.call, "RevokeServiceToken", id=made.info.id)
    refused("NOT_FOUND", lab.oli.call, "RevokeServiceToken", id=made.info.id)
    refused("ROLE_REQUIRED", lab.bob.call, "ListServiceTokens", all=True)
    names = [t.name for t in lab.ann.call("ListServiceTokens", all=True).tokens]
    assert "to be revoked" in names and "every" in names
    assert "to be revoked" not in [t.name for t in lab.ann.call("ListServiceTokens").tokens]
    bearer = {"authorization": lab.ann.metadata[0][1]}
    assert http(lab.d, "DELETE", "/api/auth/tokens/" + made.info.id, None, bearer)[0] == 204
    refused("TOKEN_INVALID", robot.call, "GetState")
    try:
        for _ in stream:
            pass
        raise AssertionError("a stream ended well without its token")
    except Exception as error:  # noqa: BLE001
        assert "UNAUTHENTICATED" in str(error), error
    refused("NOT_FOUND", lab.bob.call, "RevokeServiceToken", id=made.info.id)
    # It rests with its user and comes back with them.
    robot = lab.d.mesh(lab.make(lab.eve, "rests").token)
    robot.call("GetState")
    lab.admin.call("UpdateUser", tenant="acme", user="eve", disabled=True)
    refused("TOKEN_INVALID", robot.call, "GetState")
    lab.admin.call("UpdateUser", tenant="acme", user="eve", disabled=False)
    robot.call("GetState")
    # A role that is gone is gone from tokens.
    lab.admin.call("UpdateUser", tenant="acme", user="eve", role=AUDITOR)
    refused("TOKEN_INVALID", robot.call, "GetState")
    # Nor does it come back with the role.
    lab.admin.call("UpdateUser", tenant="acme", user="eve", role=MEMBER)
    refused("TOKEN_INVALID", robot.call, "GetState")
    lab.admin.call("UpdateUser", tenant="acme", user="eve", role=AUDITOR)
    short = lab.d.mesh(lab.make(lab.ann, "short", life_s=60).token)
    short.call("GetState")


def so_many(lab):
    """A hundred of one user; another is refused until one is gone."""
    lab.admin.call("CreateUser", tenant="acme", name="hoarder", password=PASSWORD, role=1)
    who = login(lab.d, "hoarder", "acme")
    made = [who.call("CreateServiceToken", name=f"t {n}") for n in range(100)]
    assert "name" in refused("FIELD_INVALID", who.call, "CreateServiceToken", name="more").fields
    lab.make(lab.bob, "not theirs")
    who.call("RevokeServiceToken", id=made[7].info.id)
    who.call("CreateServiceToken", name="more")


def command_line(lab):
    with tempfile.TemporaryDirectory() as tmp:
        path = os.path.join(tmp, "session")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
            f.write(lab.bob.metadata[0][1].split()[1])

        def cli(*words, file=path, code=0):
            done = subprocess.run([os.path.join(BUILD, "bin", "qmesh"), *words, "--server",
                                   f"http://127.0.0.1:{lab.d.port}", "--token-file", file],
                                  capture_output=True, text=True)
            assert done.returncode == code, (words, done)
            return done.stdout
        token = cli("token", "create", "from the shell", "--method", "MeshService.ListDevices",
                    "--expires-in", "24h").strip()
        # Never longer than was asked for, nor for fewer methods.
        for life in ("0s", "500ms", "59s", "8761h", "1"):
            cli("token", "create", "short", "--expires-in", life, code=2)
        cli("token", "create", "many", *["--method", "MeshService.ListDevices"] * 33, code=2)
        own = os.path.join(tmp, "token")
        with open(os.open(own, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
            f.write(token)
        cli("device", "list", file=own)
        cli("node", "list", file=own, code=5)
        shown = cli("token", "list")
        assert "from the shell" in shown and "MeshService.ListDevices" in shown, shown
        cli("token", "revoke", "from the shell")
        cli("device", "list", file=own, code=4)
        cli("token", "revoke", "from the shell", code=6)


def single_sign_on(lab):
    set_ = lab.admin.call
    set_("UpdateTenant", tenant="other", plan=3)
    refusal = refused("PLAN_LACKS_FEATURE", set_, "UpdateTenant", tenant="other", sso_required=True)
    assert refusal.meta == {"feature": "saml_provisioning", "needs": "Enterprise", "plan": "Team"}
    generation = [t.generation for t in set_("ListTenants").tenants]
    assert set_("UpdateTenant", tenant="acme", sso_required=True).tenant.sso_required
    assert set_("UpdateTenant", tenant="acme", plan=4).tenant.sso_required
    assert [t.generation for t in set_("ListTenants").tenants] == generation
    door = lab.d.mesh()
    for user, password in (("ann", PASSWORD), ("ann", "wrong password"), ("nobody", PASSWORD)):
        refusal = refused("SSO_REQUIRED", door.call, "Login", tenant="acme", user=user,
                          password=password)
        assert refusal.code == "PERMISSION_DENIED"
    status, _, body = http(lab.d, "POST", "/api/auth/login",
                           {"tenant": "acme", "user": "ann", "password": PASSWORD})
    assert status == 403 and "SSO_REQUIRED" in str(body), (status, body)
    refused("SSO_REQUIRED", lab.d.mesh(lab.node.agent_token).call, "Login", user="ann",
            password=PASSWORD)
    lab.ann.call("GetState")
    assert login(lab.d, "bob", "other").call("WhoAmI").user == "bob"
    # A smaller plan does not open the door to passwords again; the operator can.
    set_("UpdateTenant", tenant="acme", plan=1)
    refused("SSO_REQUIRED", door.call, "Login", tenant="acme", user="ann", password=PASSWORD)
    set_("UpdateTenant", tenant="acme", sso_required=False)
    door.call("Login", tenant="acme", user="ann", password=PASSWORD)


def main():
    lab = Lab()
    run_all((works, hashed, scopes, forged, ends, so_many, command_line, single_sign_on), lab)
    run("clean end", lab.close)
    return summary()


if __name__ == "__main__":
    sys.exit(main())
