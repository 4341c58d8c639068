#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who may do what to whose: every caller there is, every method of the contract, own and
foreign objects, at the Control Panel and at a node, over gRPC, Connect and REST.

What a caller may is read from the policy in proto/; ROWS says how each method is called
and what it answers to those who may. A method without a row ends the test before it
starts. Another tenant's object must be told like one that never was: same status, words,
details and headers, same work at the Control Panel. And no answer to anybody of one
tenant may hold a mark of the other. Runs itself in a network and a mount namespace."""
import itertools
import os
import statistics
import subprocess
import sys
import threading
import time
import traceback
import uuid
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import meshrpc  # noqa: E402
from matrix import AUDIENCES, METHODS, PLACES, PROTOCOLS, ROLES, Door, ask  # noqa: E402
from meshrpc import PASSWORD, base64, msg, x25519  # noqa: E402
from realnode import RealNode, control_panel, enter, metrics, until  # noqa: E402

passed = failed = 0
counting = threading.Lock()
LIMITS = ["--provision-limit", "100", "--provision-period", "1s"]


def check(what, got, want):
    global passed, failed
    with counting:
        passed += got == want
        failed += got != want
    if got != want:
        print(f"FAIL {what}: got {got!r}, wanted {want!r}", flush=True)


class Caller:
    """Somebody with credentials. kind: none, bad, session, service, agent, operator. via: a node speaks for
    them. user: whose devices and tokens are their own."""

    def __init__(self, name, kind, door, role=None, scope=None, via=False, user=None):
        self.name, self.kind, self.door, self.role, self.scope = name, kind, door, role, scope
        self.via, self.user = via, user


# --- how each method is called ---

def device(lab, id_):
    return {"id": id_}


ROWS = {
    "AuthService.Login": (None, lambda lab, _: {"tenant": "home", "user": "nobody", "password": "x" * 10},
                          "LOGIN_FAILED"),
    "AuthService.Logout": (None, lambda lab, _: {}, "OK"),
    "AuthService.WhoAmI": (None, lambda lab, _: {}, "OK"),
    "AuthService.ChangePassword": (None, lambda lab, _: {"old_password": "x", "new_password": "y" * 10},
                                   "LOGIN_FAILED"),
    "AuthService.ExchangeToken": (None, lambda lab, _: {"token": "a.b.c"}, "LOGIN_FAILED"),
    "AuthService.CreateServiceToken": (None, lambda lab, _: {"name": lab.next("t")}, "OK"),
    "AuthService.ListServiceTokens": (None, lambda lab, _: {}, "OK"),
    "AuthService.RevokeServiceToken": ("token", device, "OK"),
    "AdminService.CreateTenant": (None, lambda lab, _: {"name": lab.next("x")}, "OK"),
    "AdminService.ListTenants": (None, lambda lab, _: {}, "OK"),
    "AdminService.UpdateTenant": (None, lambda lab, _: {"tenant": "home", "plan": 3}, "OK"),
    "AdminService.CreateUser": (None, lambda lab, _: {"tenant": "home", "name": lab.next("u"),
                                                      "password": PASSWORD}, "OK"),
    "AdminService.ListUsers": (None, lambda lab, _: {"tenant": "home"}, "OK"),
    "AdminService.UpdateUser": (None, lambda lab, _: {"tenant": "home", "user": "idle", "role": 1}, "OK"),
    "AdminService.CreateJoinToken": (None, lambda lab, _: {"tenant": "home"}, "OK"),
    "AdminService.ListTenantNodes": (None, lambda lab, _: {"tenant": "home"}, "OK"),
    "AdminService.RemoveNode": (None, lambda lab, _: {"tenant": "home", "node": "nope"}, "NOT_FOUND"),
    "AdminService.GetLicence": (None, lambda lab, _: {}, "OK"),
    "AdminService.InstallLicence": (None, lambda lab, _: {"licence": "no licence"}, "LICENCE_INVALID"),
    "AdminService.VerifyLicence": (None, lambda lab, _: {"licence": "no licence"}, "LICENCE_INVALID"),
    "AdminService.ListTenantAudit": (None, lambda lab, _: {"tenant": "home"}, "OK"),
    "AdminService.VerifyAudit": (None, lambda lab, _: {"tenant": "home"}, "OK"),
    "AdminService.SignAuditHeads": (None, lambda lab, _: {"tenant": "home"}, "OK"),
    "AdminService.ListKeys": (None, lambda lab, _: {}, "OK"),
    "AdminService.RotateKey": (None, lambda lab, _: {"purpose": 5, "immediate": True}, "FIELD_INVALID"),
    "AdminService.CreateBackup": (None, lambda lab, _: {"public_key": bytes(32)}, "FIELD_INVALID"),
    "DnsService.Query": (None, lambda lab, _: {"msg": bytes.fromhex("1234010000010000000000000471756f6e0771"
                                                                     "75617a7a6172046d6573680000010001")}, "OK"),
    "MeshService.GetState": (None, lambda lab, _: {}, "OK"),
    "MeshService.ListDevices": (None, lambda lab, _: {}, "OK"),
    "MeshService.GetDevice": ("device", device, "OK"),
    "MeshService.CreateDevice": (None, lambda lab, _: {"label": lab.next("made "), "node_id": lab.home_node},
                                 "OK"),
    "MeshService.UpdateDevice": ("device", lambda lab, id_: {"id": id_, "type": 3}, "OK"),
    "MeshService.RotateDeviceKey": ("device", device, "OK"),
    "MeshService.DeleteDevice": ("device", device, "OK"),
    "MeshService.Refresh": (None, lambda lab, _: {}, "OK"),
    "MeshService.ListPeers": (None, lambda lab, _: {}, "OK"),
    "MeshService.GetChange": (None, lambda lab, _: {"generation": 1}, "OK"),
    "MeshService.WatchState": (None, lambda lab, _: {}, "OK"),
    "MeshService.GetOrbitFeatures": (None, lambda lab, _: {}, "OK"),
    "MeshService.GetMeshCa": (None, lambda lab, _: {}, "OK"),
    "MeshService.ListNodes": (None, lambda lab, _: {}, "OK"),
    "MeshService.ListAudit": (None, lambda lab, _: {}, "OK"),
    "MeshService.GetDeviceStats": ("device", device, "OK"),
    "MeshService.ExplainDevice": ("device", device, "OK"),
    "AgentService.Enroll": (None, lambda lab, _: {"join_token": "qmj1.a.b.c", "name": "n", "wg_public_key": x25519(),
                                                  "identity_key": os.urandom(32)}, "JOIN_TOKEN_INVALID"),
    "AgentService.RenewToken": (None, lambda lab, _: {"node_id": str(uuid.uuid4()), "nonce": os.urandom(16),
                                                      "signature": os.urandom(64)}, "TOKEN_INVALID"),
    "AgentService.Subscribe": (None, lambda lab, _: {}, "OK"),
    "AgentService.Report": (None, lambda lab, _: {}, "OK"),
    "AgentService.IssueCertificate": (None, lambda lab, _: {"csr": b"no request"}, "FIELD_INVALID"),
    "AgentService.GetNodePeers": ("node", lambda lab, id_: {"node_id": id_}, "OK"),
}
# An auditor sees all and changes nothing; what a device carries is its owner's and the admins' (design 4.2).
AUDITOR_SEES = {"MeshService.GetDevice", "MeshService.ExplainDevice"}
# Services that the Control Panel has not at all: nobody is asked who they are.
NODES_OWN = {"DnsService.Query"}
# What the call uses up.
CONSUMES = {"MeshService.DeleteDevice", "AuthService.RevokeServiceToken"}


# --- what the policy says ---

def guard(name, caller, at, route):
    """The refusal that comes before a handler, or None."""
    policy = METHODS[name].policy
    audience, place = AUDIENCES[policy.audience], PLACES[policy.runs_on]
    if at == "node" and (place == "CP" or (route and route[1].startswith("/cp/"))):
        return "UNIMPLEMENTED"
    if at == "CP" and name in NODES_OWN:
        return "UNIMPLEMENTED"
    if caller.kind == "bad" or (at == "node" and caller.kind == "agent"):
        return "TOKEN_INVALID"
    may = caller.kind in ("session", "service") or (at == "node" and caller.kind == "operator")
    if caller.kind == "service" and at == "CP" and not in_scope(name, caller):
        return "ROLE_REQUIRED"
    if route and route[1].startswith("/cp/") and audience == "USER" and not caller.via and caller.kind != "agent":
        return "TOKEN_MISSING" if may or caller.kind in ("none", "operator") else "ROLE_REQUIRED"
    if audience == "PUBLIC":
        refusal = None
    elif audience == "USER":
        refusal = None if may else "TOKEN_MISSING" if caller.kind == "none" else "ROLE_REQUIRED"
        if may and policy.roles and role_of(caller) not in [ROLES[r] for r in policy.roles]:
            refusal = "ROLE_REQUIRED"
    elif audience == "AGENT":
        refusal = None if caller.kind == "agent" else "TOKEN_MISSING" if caller.kind == "none" else "ROLE_REQUIRED"
    else:
        refusal = None if caller.kind == "operator" else "ROLE_REQUIRED"
    if refusal:
        return refusal
    if at == "node" and caller.kind == "service":
        if place == "NODE" or (place == "BOTH" and METHODS[name].stream):
            return "ROLE_REQUIRED"
        return None if in_scope(name, caller) else "ROLE_REQUIRED"
    if at == "node" and caller.kind == "operator" and place == "FORWARD" and audience == "USER":
        return "ROLE_REQUIRED"  # the node's operator is nobody at the Control Panel
    return "UNIMPLEMENTED" if at == "CP" and place == "NODE" else None


def role_of(caller):
    return "ADMIN" if caller.kind == "operator" else caller.role


def in_scope(name, caller):
    if name == "AuthService.WhoAmI":
        return True
    return name.startswith("MeshService.") and caller.scope in (None, name)


def verdict(name, caller, target):
    """What those who may are answered about an object: own, others, foreign, missing."""
    if target in ("foreign", "missing"):
        return "NOT_FOUND"
    if target == "others" and role_of(caller) != "ADMIN" and not (
            role_of(caller) == "AUDITOR" and name in AUDITOR_SEES):
        return "NOT_OWNER"
    return ROWS[name][2]


# --- the world ---

USERS = {"mem": "MEMBER", "aud": "AUDITOR", "adm": "ADMIN"}


class Tenant:
    """One with a device for each of its people, and what must never be seen next door."""

    def __init__(self, lab, name, prefix):
        self.lab, self.name, self.prefix = lab, name, prefix
        self.devices, self.sessions, self.tokens = {}, {}, {}
        admin = lab.admin
        for user in [*USERS, "pal"]:
            admin.call("CreateUser", tenant=name, name=prefix + user, password=PASSWORD, role=1)

    def people(self, node_id):
        """Everybody has a device and a token; then they get their roles."""
        for user in [*USERS, "pal"]:
            mesh = self.session(user)
            self.devices[user] = mesh.call("CreateDevice", label=f"{self.prefix} {user}s phone", node_id=node_id).device
            self.tokens[user] = mesh.call("CreateServiceToken", name=f"{self.prefix}{user}token").info
            mesh.close()
        for user, role in USERS.items():
            self.lab.admin.call("UpdateUser", tenant=self.name, user=self.prefix + user, role="ROLE_" + role)
        for user in [*USERS, "pal"]:
            self.sessions[user] = self.session(user)

    def session(self, user, target=None, agent=None):
        door = (target or self.lab.cp).mesh(agent)
        token = door.call("Login", tenant="" if target or agent else self.name, user=self.prefix + user,
                          password=PASSWORD).token
        door.close()
        return (target or self.lab.cp).mesh(agent, user=token) if agent else (target or self.lab.cp).mesh(token)

    def service(self, user, scope=None):
        name = scope.split(".")[1] if scope else "all"
        return self.sessions[user].call("CreateServiceToken", name=f"{self.prefix}{user} {name}",
                                        methods=[scope] if scope else []).token


class Lab:
    def __init__(self):
        self.numbers = itertools.count()
        self.cp, self.admin = control_panel(*LIMITS)
        self.admin.call("CreateUser", tenant="home", name="idle", password=PASSWORD)
        self.admin.call("CreateTenant", name="strangerland", plan=3)
        self.real = RealNode(self.cp, self.admin).start().wait_ready()
        assert until(lambda: "https: serving" in self.real.log()), self.real.log()[-3000:]
        self.gate = meshrpc.enroll(self.cp, self.admin, "home", "gw-two")
        self.far = meshrpc.enroll(self.cp, self.admin, "strangerland", "strangergate")
        nodes = self.admin.call("ListTenantNodes", tenant="home").nodes
        self.home_node = next(n.id for n in nodes if n.label == "node-one")
        self.home, self.other = Tenant(self, "home", "our"), Tenant(self, "strangerland", "stranger")
        self.home.people(self.home_node)
        self.other.people(self.far.node_id)
        self.services = {user: self.home.service(user) for user in USERS}
        self.marks = self.marks_of_other()

    def next(self, prefix):
        return f"{prefix}{next(self.numbers)}"

    def marks_of_other(self):
        """Bytes that only somebody of the other tenant may be shown; name -> bytes."""
        o = self.other
        marks = {"a name": b"stranger", "the node's id": self.far.node_id.encode(),
                 "the tenant's id": self.far.tenant_id.encode(),
                 "the node's id in bytes": uuid.UUID(self.far.node_id).bytes,
                 "the tenant's id in bytes": uuid.UUID(self.far.tenant_id).bytes,
                 "its range": self.far.range.rsplit(".", 2)[0].encode() + b".",
                 "its IPv6 range": self.far.range6.split("::")[0].encode() + b":"}
        for user, d in o.devices.items():
            marks[f"id of {user}'s device"] = d.id.encode()
            marks[f"id of {user}'s device in bytes"] = uuid.UUID(d.id).bytes
            marks[f"key of {user}'s device"] = d.public_key.encode()
            marks[f"key of {user}'s device in bytes"] = base64.b64decode(d.public_key)
            marks[f"id of {user}"] = d.owner.id.encode()
            marks[f"id of {user}'s token"] = o.tokens[user].id.encode()
        return marks

    def scan(self, what, answer, sent=()):
        if ", the operator," in what:
            return  # of the Control Panel, who sees all tenants
        for mark, raw in self.marks.items():
            if raw in answer.raw and raw.decode("latin-1") not in sent:
                check(f"{what} shows {mark} of another tenant", answer.raw[:200], b"")

    def target(self, name, caller, which):
        """Id of an object as this caller sees it: own, others, foreign, missing."""
        kind = ROWS[name][0]
        if which == "missing":
            return str(uuid.uuid4())
        if kind == "node":
            return {"own": self.gate.node_id, "others": self.home_node, "foreign": self.far.node_id}[which]
        tenant = self.other if which == "foreign" else self.home
        user = (caller.user or "mem") if which == "own" else "pal"
        if name not in CONSUMES or which == "foreign" or guard(name, caller, caller.at, None):
            return (tenant.devices if kind == "device" else tenant.tokens)[user].id
        mesh = tenant.sessions["pal" if which == "others" else user]
        if kind == "token":
            return mesh.call("CreateServiceToken", name=self.next("gone ")).info.id
        return mesh.call("CreateDevice", label=self.next("gone "), node_id=self.home_node).device.id

    def close(self):
        check("the node ends well", self.real.stop(), 0)
        check("the Control Panel ends well", self.cp.stop(), 0)
        self.cp.remove()


def callers_at_cp(lab):
    count = itertools.count(11)

    def door(*metadata, path=None):
        return Door(lab.cp, metadata, path, f"127.0.0.{next(count)}")

    def bearer(token):
        return ("authorization", "Bearer " + token)
    home, agent = lab.home, bearer(lab.gate.agent_token)
    yield Caller("nobody", "none", door())
    yield Caller("a bad token", "bad", door(bearer("e30.e30.AAAA")))
    yield Caller("a bad service token", "bad", door(bearer("qms1." + "0" * 32 + "." + "0" * 64)))
    yield Caller("the operator", "operator", door(path=os.path.join(lab.cp.dir, "admin.sock")))
    yield Caller("a node", "agent", door(agent))
    for user, role in USERS.items():
        session = home.sessions[user].metadata[0][1][7:]
        yield Caller(role, "session", door(home.session(user).metadata[0]), role, user=user)
        yield Caller(f"service token of {role}", "service", door(bearer(lab.services[user])), role, user=user)
        passed_on = home.session(user, agent=lab.gate.agent_token).metadata[1][1]
        yield Caller(f"{role} by a node", "session", door(agent, ("x-qmesh-user", passed_on)), role, via=True,
                     user=user)
        yield Caller(f"{role} by another tenant's node", "bad",
                     door(bearer(lab.far.agent_token), ("x-qmesh-user", passed_on)))
        yield Caller(f"{role} by a node with a session of the Control Panel", "bad",
                     door(agent, ("x-qmesh-user", session)))
        yield Caller(f"{role} with a node's session", "bad", door(bearer(passed_on)))
    for scope in METHODS:
        if scope.startswith("MeshService."):
            yield Caller(f"service token for {scope}", "service", door(bearer(home.service("adm", scope))), "ADMIN",
                         scope, user="adm")


def callers_at_node(lab):
    count = itertools.count(111)

    def door(*metadata, path=None):
        return Door(lab.real, metadata, path, f"127.0.0.{next(count)}")

    def bearer(token):
        return ("authorization", "Bearer " + token)
    home = lab.home
    yield Caller("nobody", "none", door())
    yield Caller("a bad token", "bad", door(bearer("e30.e30.AAAA")))
    yield Caller("a node", "agent", door(bearer(lab.gate.agent_token)))
    yield Caller("the node's operator", "operator", door(path=os.path.join(lab.real.dir, "sock")))
    for user, role in USERS.items():
        session = home.session(user, lab.real).metadata[0][1][7:]
        yield Caller(role, "session", door(bearer(session)), role, user=user)
        yield Caller(f"service token of {role}", "service", door(bearer(lab.services[user])), role, user=user)
        for what, mesh in (("the Control Panel", home.sessions[user]), ("another tenant", lab.other.sessions[user])):
            yield Caller(f"{role} with a session of {what}", "bad", door(mesh.metadata[0]))


# --- the matrix ---

def anonymous(answer, id_):
    """What another may compare: without the id that the caller sent."""
    return repr(answer.compare).replace(id_, "<id>")


def reason_of(answer):
    """A path that nobody serves has no reason over REST and Connect."""
    return "UNIMPLEMENTED" if answer.reason in ("HTTP 404", "HTTP 501") else answer.reason


def ask_all(lab, what, caller, name, protocol, route):
    method, (kind, fields, good) = METHODS[name], ROWS[name]
    refusal = guard(name, caller, caller.at, route)
    if kind is None:
        answer = ask(caller.door, protocol, method, fields(lab, None), route=route)
        check(what, reason_of(answer), refusal or good)
        lab.scan(what, answer)
        return
    for which in ("own", "foreign", "missing") if refusal else ("own", "others", "foreign", "missing"):
        id_ = lab.target(name, caller, which)
        answer = ask(caller.door, protocol, method, fields(lab, id_), route=route)
        check(f"{what}, {which}", reason_of(answer), refusal or verdict(name, caller, which))
        lab.scan(f"{what}, {which}", answer, (id_, uuid.UUID(id_).bytes.decode("latin-1")))
        if which == "foreign":
            foreign = anonymous(answer, id_)
        if which == "missing":
            check(f"{what}: foreign is as missing", foreign, anonymous(answer, id_))


def run_caller(lab, at, caller):
    caller.at = at
    # Signing out comes last: the session ends with it.
    for name in sorted(METHODS, key=lambda n: n == "AuthService.Logout"):
        protocols = ("gRPC",) if caller.scope or name == "AuthService.Logout" else PROTOCOLS
        for protocol in protocols:
            for route in METHODS[name].routes if protocol == "REST" else (None,):
                what = f"{at}, {caller.name}, {name}, {protocol}" + (f" {route[1]}" if route else "")
                try:
                    ask_all(lab, what, caller, name, protocol, route)
                except Exception as e:  # noqa: BLE001
                    check(what, f"{type(e).__name__}: {e}"[:300], "an answer")
                    traceback.print_exc()
    caller.door.close()


def come_from(address):
    """grpcio takes no address to come from; the kernel does. Refusals are counted by address."""
    subprocess.run(["ip", "route", "replace", "local", "127.0.0.1", "dev", "lo", "table", "local", "proto", "kernel",
                    "scope", "host", "src", address], check=True)


def matrix(lab, at, callers):
    # Sessions are made here, one by one: signing in is slow on purpose.
    callers = list(callers)
    for n in range(0, len(callers), 12):
        come_from(f"127.0.{at == 'node':d}.{n + 200}")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda caller: run_caller(lab, at, caller), callers[n:n + 12]))
    come_from("127.0.2.1")


# --- other ways to another tenant's things ---

def references(lab):
    """Objects named beside the one that is asked for."""
    mem = lab.home.sessions["mem"]
    theirs = lab.other.sessions["mem"].call("CreateDevice", label="the same label", node_id=lab.far.node_id).device
    door = Door(lab.cp, mem.metadata, None, "127.0.0.101")
    create, answers = METHODS["MeshService.CreateDevice"], {}
    for which, node in (("foreign", lab.far.node_id), ("missing", str(uuid.uuid4()))):
        for protocol in PROTOCOLS:
            answer = ask(door, protocol, create, {"label": "x", "node_id": node})
            check(f"CreateDevice at a {which} node, {protocol}", answer.reason, "FIELD_INVALID")
            answers[which, protocol] = anonymous(answer, node)
    for protocol in PROTOCOLS:
        check(f"CreateDevice at a foreign node is as at a missing one, {protocol}", answers["foreign", protocol],
              answers["missing", protocol])
    # Neither names nor keys nor addresses of others are taken, and nobody can ask which are.
    made = mem.call("CreateDevice", label=theirs.label, public_key=theirs.public_key, node_id=lab.home_node).device
    check("a label that another tenant has", (made.label, made.slug), (theirs.label, theirs.slug))
    mem.call("DeleteDevice", id=made.id)
    told = []
    for ip in (theirs.mesh_ip, theirs.mesh_ip.rsplit(".", 2)[0] + ".200.1", "203.0.113.9"):
        answer = ask(door, "gRPC", create, {"label": "x", "wished_ip": ip, "node_id": lab.home_node})
        check(f"a wished address of another range, {ip}", answer.reason, "FIELD_INVALID")
        told.append(anonymous(answer, ip))
    check("addresses of another range are all told alike", len(set(told)), 1)
    door.close()


def pages(lab):
    """A page token made of another tenant's id opens nothing."""
    door = Door(lab.cp, lab.home.sessions["adm"].metadata, None, "127.0.0.102")
    for name, id_, extra in (("MeshService.ListDevices", lab.other.devices["mem"].id, {"all": True}),
                             ("MeshService.ListNodes", lab.far.node_id, {}),
                             ("AuthService.ListServiceTokens", lab.other.tokens["mem"].id, {"all": True})):
        for token in (uuid.UUID(id_).hex, "0" * 32, "0" * 31 + "1"):
            answer = ask(door, "gRPC", METHODS[name], {"page_token": token, "page_size": 4, **extra})
            check(f"{name} after {token}", answer.reason, "OK")
            lab.scan(f"{name} after {token}", answer)
    door.close()


def signing_in(lab):
    """Nobody learns who has an account, or where."""
    agent = ("authorization", "Bearer " + lab.gate.agent_token)
    told = set()
    for metadata, tenant, user in (
            ((), "home", "ourmem"), ((), "home", "nobody"), ((), "strangerland", "nobody"), ((), "nowhere", "ourmem"),
            ((), "", "ourmem"), ((agent,), "", "ourmem"), ((agent,), "", "nobody"), ((agent,), "", "strangermem"),
            ((agent,), "strangerland", "strangermem"), ((agent,), "nowhere", "x")):
        door = Door(lab.cp, metadata)
        answer = ask(door, "gRPC", METHODS["AuthService.Login"],
                     {"tenant": tenant, "user": user, "password": "wrong password"})
        check(f"{user} at {tenant or 'no tenant'}", answer.reason, "LOGIN_FAILED")
        told.add(repr(answer.compare))
        door.close()
    check("refused sign-ins are all told alike", len(told), 1)
    door = Door(lab.cp, (agent,))
    answer = ask(door, "gRPC", METHODS["AuthService.Login"], {"tenant": "strangerland", "user": "strangermem",
                                                              "password": PASSWORD})
    check("the right password by another tenant's node", (answer.reason, repr(answer.compare)),
          ("LOGIN_FAILED", told.pop()))
    door.close()


def reports(lab):
    """A node speaks for its own devices: what it says of others is not heard."""
    theirs = lab.other.devices["mem"]
    pending = lab.other.sessions["mem"].call("RotateDeviceKey", id=theirs.id).device
    node = Door(lab.cp, (("authorization", "Bearer " + lab.gate.agent_token),))
    raw = uuid.UUID(theirs.id).bytes
    answer = ask(node, "gRPC", METHODS["AgentService.Report"],
                 {"promoted": [{"device_id": raw, "key_version": pending.key_version}],
                  "statuses": [{"device_id": raw, "rx_bytes": 1, "latest_handshake": {"seconds": 1700000000}}],
                  "failed": [{"id": raw, "errno_code": 1}] if "errno_code" in
                  msg("FailedPeer").DESCRIPTOR.fields_by_name else []})
    check("a report about another tenant's device", answer.reason, "OK")
    now = lab.other.sessions["mem"].call("GetDevice", id=theirs.id).device
    check("it is not heard", (now.rx_bytes, now.HasField("last_seen"), now.HasField("pending_until")),
          (0, False, True))
    lab.scan("a report about another tenant's device", answer)
    node.close()


def replayed_keys(lab):
    """An Idempotency-Key belongs to one person of one tenant."""
    key = [("idempotency-key", "the same for both")]
    theirs = lab.other.sessions["mem"].call("CreateDevice", label="stranger keyed", node_id=lab.far.node_id, metadata=key)
    ours = lab.home.sessions["mem"].call("CreateDevice", label="keyed", node_id=lab.home_node, metadata=key)
    check("one key in two tenants makes two devices", ours.device.id != theirs.device.id, True)
    again = lab.home.sessions["adm"].call("CreateDevice", label="keyed too", node_id=lab.home_node, metadata=key)
    check("and one for each person", again.device.id not in (ours.device.id, theirs.device.id), True)


# --- the same work ---

def cpu_ns(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                total += int(f.read().split()[0])
        except OSError:
            pass
    return total


def writes_settled(cp):
    """Rows of refusals are written soon after the answer: read until nothing more comes."""
    now = metrics(cp)["qmesh_store_writes_total"]
    while True:
        time.sleep(0.05)
        before, now = now, metrics(cp)["qmesh_store_writes_total"]
        if now == before:
            return now


def same_work(lab):
    """Foreign and missing cost the Control Panel alike: writes exactly, cycles within generous bounds."""
    door = Door(lab.cp, lab.home.sessions["mem"].metadata, None, "127.0.0.103")
    rounds, calls = (40, 25) if os.environ.get("QMESH_LONG") else (8, 10)
    for name in ("MeshService.GetDevice", "MeshService.UpdateDevice", "MeshService.DeleteDevice",
                 "AuthService.RevokeServiceToken"):
        kind, fields, _ = ROWS[name]
        foreign = (lab.other.devices if kind == "device" else lab.other.tokens)["mem"].id
        spent, wrote = {"foreign": [], "missing": []}, {"foreign": [], "missing": []}
        for _ in range(rounds):
            for which, used in spent.items():
                writes, cpu = writes_settled(lab.cp), cpu_ns(lab.cp.process.pid)
                for _ in range(calls):
                    ask(door, "gRPC", METHODS[name],
                        fields(lab, foreign if which == "foreign" else str(uuid.uuid4())))
                used.append(cpu_ns(lab.cp.process.pid) - cpu)
                wrote[which].append(writes_settled(lab.cp) - writes)
        check(f"{name}: writes", statistics.median(wrote["foreign"]), statistics.median(wrote["missing"]))
        ratio = statistics.median(spent["foreign"]) / statistics.median(spent["missing"])
        check(f"{name}: processor time, foreign to missing {ratio:.2f}", 0.5 < ratio < 2, True)
    door.close()


def audit_is_clean(lab):
    """The refusals of all this are in the log of those who asked, and say nothing of the others."""
    door = Door(lab.cp, lab.home.sessions["adm"].metadata)
    token = ""
    while True:
        answer = ask(door, "gRPC", METHODS["MeshService.ListAudit"], {"page_size": 1000, "page_token": token})
        lab.scan("the audit", answer)
        page = msg("ListAuditResponse")
        page.ParseFromString(answer.message)
        token = page.next_page_token
        if not token:
            break
    for tenant in ("home", "strangerland"):
        seen = lab.admin.call("VerifyAudit", tenant=tenant)
        check(f"the audit of {tenant} is whole", seen.fault, 0)
    door.close()


def main():
    missing = sorted(set(METHODS) ^ set(ROWS))
    if missing:
        print("no row for, or no method of: " + ", ".join(missing))
        print("passed 0 failed 1 skipped 0")
        return 1
    code = enter(__file__)
    if code is not None:
        return code
    lab = Lab()
    try:
        matrix(lab, "CP", callers_at_cp(lab))
        matrix(lab, "node", callers_at_node(lab))
        for part in (references, pages, reports, replayed_keys, same_work, audit_is_clean, signing_in):
            try:
                part(lab)
            except Exception as e:  # noqa: BLE001
                traceback.print_exc()
                check(part.__name__, repr(e)[:300], "an end")
    finally:
        lab.close()
    print(f"passed {passed} failed {failed} skipped 0")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
