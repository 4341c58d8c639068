#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The audit chain and its signed heads, from outside: every row flipped, removed, moved,
cut off and written anew with all hashes behind it, found and located; heads of others,
damaged ones and unknown keys refused by name; signatures by openssl, the chain by
hashlib. The store is changed under the running daemon. And who may read it: the operator
that of any tenant, people their own."""
import base64
import csv
import datetime
import hashlib
import io
import json
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from meshrpc import (BUILD, PASSWORD, Daemon, Refused, ed25519_key, ed25519_sign, http, login, msg,
                     refused)  # noqa: E402
from parts import run, run_all, summary  # noqa: E402

CHANGED, MISSING, REWRITTEN, HEAD = 1, 2, 3, 4
ROWS = 10
COLUMNS = ("seq", "time_ms", "actor_id", "actor", "action", "object_id", "object", "origin", "request_id", "result",
           "hash")


def chain(before, tenant, row):
    """The hash of a row as docs/protocol.md has it."""
    r = dict(zip(COLUMNS, row))
    h = hashlib.blake2b(b"qmesh-audit/1\0" + before + tenant, digest_size=32)
    h.update(r["seq"].to_bytes(8, "big") + r["time_ms"].to_bytes(8, "big"))
    h.update((r["actor_id"] or bytes(16)) + (r["object_id"] or bytes(16)))
    for name in ("actor", "action", "object", "origin", "request_id", "result"):
        h.update(r[name].encode() + b"\0")
    return h.digest()


def signed_bytes(head):
    """What a head's signature is over, as docs/protocol.md has it."""
    ids = [bytes.fromhex(x.replace("-", "")) for x in (head.control_panel, head.tenant)]
    ms = head.time.seconds * 1000 + head.time.nanos // 1000000
    return b"qmesh-audit-head/1\0" + b"".join(ids) + head.seq.to_bytes(8, "big") + ms.to_bytes(8, "big") + \
        bytes.fromhex(head.hash)


def verified_by_openssl(public, message, signature):
    with tempfile.TemporaryDirectory() as tmp:
        files = {"key": bytes.fromhex("302a300506032b6570032100") + public, "message": message, "signature": signature}
        for name, content in files.items():
            with open(os.path.join(tmp, name), "wb") as f:
                f.write(content)
        return subprocess.run(["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey",
                               tmp + "/key", "-in", tmp + "/message", "-sigfile", tmp + "/signature"],
                              capture_output=True, check=False).returncode == 0


class Lab:
    def __init__(self):
        self.heads_dir = tempfile.mkdtemp(prefix="qmesh-heads-")
        os.rmdir(self.heads_dir)
        self.d = Daemon(["--audit-heads-dir", self.heads_dir]).start()
        self.admin = self.d.admin()
        self.ids = {}
        for tenant in ("acme", "other"):
            self.ids[tenant] = self.admin.call("CreateTenant", name=tenant, plan=3).tenant.id
        self.heads = {}
        for n in range(ROWS):
            self.admin.call("CreateUser", tenant="acme", name=f"u{n}", password=PASSWORD)
            head = self.head()
            self.heads[head.seq] = head
        self.n = head.seq
        assert sorted(self.heads)[-ROWS:] == list(range(self.n - ROWS + 1, self.n + 1)), sorted(self.heads)
        self.tenant = bytes.fromhex(self.ids["acme"].replace("-", ""))
        self.store = sqlite3.connect(os.path.join(self.d.dir, "state", "store.db"), isolation_level=None, timeout=60)
        self.whole = self.rows()

    def head(self, tenant="acme"):
        head, = self.admin.call("SignAuditHeads", tenant=tenant).heads
        return head

    def rows(self):
        return self.store.execute(f"SELECT {', '.join(COLUMNS)} FROM audit WHERE tenant = ? ORDER BY seq",
                                  (self.tenant,)).fetchall()

    def put(self, rows, last=None):
        """These rows in the place of those; last: (seq, hash) of the tenant's own row."""
        self.store.execute("BEGIN IMMEDIATE")
        self.store.execute("DELETE FROM audit WHERE tenant = ?", (self.tenant,))
        for row in rows:
            self.store.execute(f"INSERT INTO audit (tenant, {', '.join(COLUMNS)}) VALUES (?{', ?' * len(COLUMNS)})",
                               (self.tenant, *row))
        seq, hash_ = last or (self.whole[-1][0], self.whole[-1][-1])
        self.store.execute("UPDATE tenants SET audit_seq = ?, audit_hash = ? WHERE id = ?", (seq, hash_, self.tenant))
        self.store.execute("COMMIT")

    def verify(self, *heads, tenant="acme"):
        answer = self.admin.call("VerifyAudit", tenant=tenant, heads=heads)
        return answer.fault, answer.bad_seq

    def anew(self, at, **change):
        """The chain with one row changed and all hashes behind it made to fit."""
        rows, before = [], bytes(32)
        for row in self.whole:
            if row[0] == at:
                row = tuple(change.get(name, value) for name, value in zip(COLUMNS, row))
            before = chain(before, self.tenant, row)
            rows.append(row[:-1] + (before,))
        return rows

    def cli(self, *words, code=0):
        done = subprocess.run([os.path.join(BUILD, "bin", "qmesh"), *words, "--server",
                               "unix:" + os.path.join(self.d.dir, "admin.sock")], capture_output=True, text=True,
                              check=False)
        assert done.returncode == code, (words, done)
        return done.stdout + done.stderr

    def file(self, name, *lines):
        path = os.path.join(self.d.dir, name)
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(line if line.endswith("\n") else line + "\n" for line in lines)
        return path

    def close(self):
        self.store.close()
        assert self.d.stop() == 0, self.d.log()[-2000:]
        log = self.d.log()
        assert "Sanitizer" not in log and "error err" not in log, log[-3000:]
        self.d.remove()
        subprocess.run(["rm", "-r", self.heads_dir], check=True)


def as_documented(lab):
    """Chain and head, made anew from docs/protocol.md by other people's code."""
    before = bytes(32)
    for row in lab.whole:
        before = chain(before, lab.tenant, row)
        assert before == row[-1], row
    answer = lab.admin.call("SignAuditHeads", tenant="acme")
    head, keys = answer.heads[0], {k.kid: k.public_key for k in answer.keys}
    assert (head.tenant, head.seq, head.hash) == (lab.ids["acme"], lab.n, before.hex())
    assert answer.keys[0].kid == head.kid and head.kid == hashlib.blake2b(
        keys[head.kid], digest_size=32).hexdigest()[:16]
    assert verified_by_openssl(keys[head.kid], signed_bytes(head), head.signature)
    assert not verified_by_openssl(keys[head.kid], signed_bytes(head) + b"x", head.signature)
    everybody = lab.admin.call("SignAuditHeads")
    assert {h.tenant for h in everybody.heads} == set(lab.ids.values()) and not everybody.next_page_token
    refused("NOT_FOUND", lab.admin.call, "SignAuditHeads", tenant="nobody")
    refused("PAGE_TOKEN_INVALID", lab.admin.call, "SignAuditHeads", page_token="x")
    whole = lab.admin.call("VerifyAudit", tenant="acme", heads=lab.heads.values())
    assert (whole.fault, whole.rows, whole.heads) == (0, lab.n, len(lab.heads)), whole


def every_row_damaged(lab):
    """Each column of each row, each row gone, each two in each other's place."""
    n = 0
    try:
        for i, row in enumerate(lab.whole):
            at = row[0]
            for c, name in enumerate(COLUMNS):
                value = row[c]
                if name == "seq":
                    continue
                if value is None:
                    flipped = b"\1" * 16
                elif isinstance(value, int):
                    flipped = value + 1
                elif isinstance(value, bytes):
                    flipped = value[:-1] + bytes([value[-1] ^ 0x80])
                else:
                    flipped = value + "x"
                lab.put(lab.whole[:i] + [row[:c] + (flipped,) + row[c + 1:]] + lab.whole[i + 1:])
                assert lab.verify() == (CHANGED, at), (at, name, lab.verify())
                n += 1
            lab.put(lab.whole[:i] + lab.whole[i + 1:])
            assert lab.verify() == (MISSING, at), (at, lab.verify())
            if i:
                one, two = lab.whole[i - 1], row
                lab.put(lab.whole[:i - 1] + [one[:1] + two[1:], two[:1] + one[1:]] + lab.whole[i + 1:])
                assert lab.verify() == (CHANGED, at - 1), (at, lab.verify())
            # A row more, at the end: who adds it has no place in the tenant's own row.
            lab.put(lab.whole + [(lab.n + 1, *row[1:])])
            assert lab.verify()[0] == CHANGED and lab.verify()[1] == lab.n + 1, lab.verify()
            assert lab.verify(tenant="other") == (0, 0)
            # What a text hides behind a NUL, which nobody would be shown.
            lab.put(lab.whole)
            lab.store.execute("UPDATE audit SET result = result || char(0) || 'x' WHERE tenant = ? AND seq = ?",
                              (lab.tenant, at))
            assert lab.verify() == (CHANGED, at), (at, lab.verify())
        lab.put(lab.whole, (lab.n, bytes(32)))
        assert lab.verify() == (CHANGED, lab.n)
        assert lab.cli("audit", "verify", "acme", code=10).strip() == f"error: row {lab.n} is changed"
        lab.put(lab.whole[:2] + lab.whole[3:])
        assert lab.cli("audit", "verify", "acme", code=10).strip() == "error: row 3 is missing"
    finally:
        lab.put(lab.whole)
    assert "is changed" in lab.d.log() and "is missing" in lab.d.log()
    assert lab.verify() == (0, 0) and n == len(lab.whole) * (len(COLUMNS) - 1)


def cut_off(lab):
    """Who cuts off the end and says so in the tenant's row is shown by a head only."""
    path = lab.file("kept", *lab.cli("audit", "head", "--tenant", "acme").splitlines())
    try:
        for rest in range(len(lab.whole)):
            rows = lab.whole[:rest]
            lab.put(rows, (rows[-1][0], rows[-1][-1]) if rows else (0, bytes(32)))
            assert lab.verify() == (0, 0)
            assert lab.verify(lab.heads[lab.n]) == (MISSING, rest + 1), lab.verify(lab.heads[lab.n])
            said = lab.cli("audit", "verify", "acme", "--head", path, code=10)
            assert said.strip() == f"error: rows after {rest} are gone", said
    finally:
        lab.put(lab.whole)
    assert lab.cli("audit", "verify", "acme", "--head", path).startswith(f"whole: {lab.n} rows")


def written_anew(lab):
    """One row with all hashes behind it: found by a head, and as exactly as heads are near."""
    first, every = min(lab.heads), list(lab.heads.values())
    try:
        for row in lab.whole:
            at = row[0]
            rows = lab.anew(at, object="somebody else")
            lab.put(rows, (rows[-1][0], rows[-1][-1]))
            assert lab.verify() == (0, 0)
            answer = lab.admin.call("VerifyAudit", tenant="acme", heads=[lab.heads[lab.n]])
            assert (answer.fault, answer.from_seq, answer.bad_seq) == (REWRITTEN, 1, lab.n), answer
            answer = lab.admin.call("VerifyAudit", tenant="acme", heads=every)
            where = (1 if at <= first else at, max(at, first))
            assert (answer.fault, answer.from_seq, answer.bad_seq) == (REWRITTEN, *where), answer
            # A head from before it fits still.
            if at > first:
                assert lab.verify(lab.heads[at - 1]) == (0, 0)
            words = f"error: row {at} was written anew" if where[0] == where[1] else \
                f"error: a row from 1 to {first} was written anew"
            path = lab.file("every", *(json.dumps(line_of(h)) for h in reversed(every)))
            assert lab.cli("audit", "verify", "acme", "--head", path, code=10).strip() == words
        # Cut off and made longer again by other rows.
        rows = lab.anew(lab.n - 2, result="NOT_OWNER")
        more = (lab.n + 1, *rows[-1][1:-1])
        rows.append(more + (chain(rows[-1][-1], lab.tenant, more + (b"",)),))
        lab.put(rows, (rows[-1][0], rows[-1][-1]))
        assert lab.verify() == (0, 0) and lab.verify(*every) == (REWRITTEN, lab.n - 2)
    finally:
        lab.put(lab.whole)
    assert lab.verify(*every) == (0, 0)


def line_of(head):
    """A head as a line of a file."""
    time = datetime.datetime.fromtimestamp(head.time.seconds, datetime.timezone.utc)
    return {"control_panel": head.control_panel, "tenant": head.tenant, "seq": str(head.seq),
            "time": time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{head.time.nanos // 1000000:03d}Z", "hash": head.hash,
            "kid": head.kid, "signature": base64.b64encode(head.signature).decode()}


def by_somebody_else(lab, head):
    """The same, signed by a key of nobody's; and the key as "audit key" would print it."""
    pem, public = ed25519_key()
    other = msg("AuditHead")
    other.CopyFrom(head)
    other.kid = hashlib.blake2b(public, digest_size=32).hexdigest()[:16]
    other.signature = ed25519_sign(pem, signed_bytes(other))
    return other, f"qmesh-audit-public {other.kid} {base64.b64encode(public).decode()}"


def not_heads_of_it(lab):
    """What is not this tenant's, not this Control Panel's or not as it was signed, by name."""
    def changed(**fields):
        other = msg("AuditHead")
        other.CopyFrom(lab.heads[lab.n])
        for name, value in fields.items():
            setattr(other, name, value)
        return other

    good = lab.heads[lab.n]
    later = changed()
    later.time.seconds += 1
    foreign = msg("AuditHead")
    foreign.CopyFrom(good)
    foreign.control_panel = lab.ids["other"]
    stranger, stranger_key = by_somebody_else(lab, good)
    fault_of = {
        "signature": [changed(seq=good.seq + 1), changed(hash="0" * 64), later,
                      changed(signature=good.signature[:-1] + bytes([good.signature[-1] ^ 1])),
                      changed(signature=bytes([good.signature[0] ^ 1]) + good.signature[1:]),
                      changed(signature=stranger.signature)],
        "wrong-tenant": [lab.head("other"), changed(tenant=lab.ids["other"])],
        "wrong-control-panel": [foreign],
        "unknown-key": [stranger, changed(kid="0" * 16)],
        "format": [changed(signature=good.signature[:-1]), changed(hash="0" * 63), changed(kid="")],
    }
    for fault, heads in fault_of.items():
        for head in heads:
            refusal = refused("FIELD_INVALID", lab.admin.call, "VerifyAudit", tenant="acme", heads=[good, head])
            assert refusal.meta == {"fault": fault} and list(refusal.fields) == ["heads[1]"], (fault, refusal.meta)
    words = {"signature": "is not as it was signed", "unknown-key": "signed by no audit key",
             "wrong-control-panel": "of another Control Panel"}
    for fault, said in words.items():
        path = lab.file("bad", json.dumps(line_of(fault_of[fault][0])))
        assert said in lab.cli("audit", "verify", "acme", "--head", path, code=10), fault
    other = lab.file("others", json.dumps(line_of(lab.head("other"))))
    assert "none of its lines is a head of this tenant" in lab.cli("audit", "verify", "acme", "--head", other, code=10)
    for content in ("", "{", "hello " + lab.ids["acme"], json.dumps(dict(line_of(good), more=1)),
                    json.dumps({k: v for k, v in line_of(good).items() if k != "signature"})):
        assert "head" in lab.cli("audit", "verify", "acme", "--head", lab.file("bad", content), code=10)
    # Without asking the Control Panel for its keys.
    keys = lab.file("keys", lab.cli("audit", "key"))
    line = json.dumps(line_of(good))
    path = lab.file("good", line)
    assert lab.cli("audit", "verify", "acme", "--head", path, "--key", keys).startswith("whole")
    nobody = lab.file("nobody", stranger_key)
    assert "which is not in" in lab.cli("audit", "verify", "acme", "--head", path, "--key", nobody, code=10)
    path = lab.file("good", json.dumps(line_of(stranger)))
    assert lab.cli("audit", "verify", "acme", "--head", path, "--key", nobody).startswith("whole")
    path = lab.file("bad", json.dumps(dict(line_of(good), seq=str(good.seq - 1))))
    assert "not as it was signed" in lab.cli("audit", "verify", "acme", "--head", path, "--key", keys, code=10)
    assert "not what" in lab.cli("audit", "verify", "acme", "--head", path, "--key", path, code=10)
    assert "/nowhere/keys" in lab.cli("audit", "verify", "acme", "--head", path, "--key", "/nowhere/keys", code=2)
    lab.cli("audit", "verify", "acme", "--key", keys, code=2)
    lab.cli("audit", "verify", "acme", "--head", "/nowhere/heads", code=2)
    refused("FIELD_INVALID", lab.admin.call, "VerifyAudit", tenant="acme", known_seq=1)
    refused("NOT_FOUND", lab.admin.call, "VerifyAudit", tenant="nobody")
    # One that was only noted, as audit verify prints it.
    head = lab.cli("audit", "verify", "acme").split()[-1]
    lab.cli("audit", "verify", "acme", "--head", head)
    assert "was written anew" in lab.cli("audit", "verify", "acme", "--head", f"{lab.n}:" + "0" * 64, code=10)
    assert f"rows after {lab.n} are gone" in lab.cli("audit", "verify", "acme", "--head", f"{lab.n + 1}:" + "0" * 64,
                                                     code=10)


def each_day(lab):
    """At the start: the store has a head of each tenant, and a file has them for who ships it."""
    assert lab.d.stop() == 0
    lab.d.start()
    lab.admin = lab.d.admin()
    stored = lab.store.execute("SELECT seq, hash, kid, signature FROM audit_heads WHERE tenant = ?",
                               (lab.tenant,)).fetchall()
    assert len(stored) == 1 and stored[0][:2] == (lab.n, lab.whole[-1][-1]), stored
    names = sorted(os.listdir(lab.heads_dir))
    today = datetime.datetime.now(datetime.timezone.utc).date()
    days = [f"audit-heads-{day}.jsonl" for day in (today, today - datetime.timedelta(1))]
    assert names and names[-1] in days, names
    path = os.path.join(lab.heads_dir, names[-1])
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o644
    with open(path, encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    assert {line["tenant"] for line in lines} == set(lab.ids.values()), lines
    mine = next(line for line in lines if line["tenant"] == lab.ids["acme"])
    assert (int(mine["seq"]), mine["kid"], base64.b64decode(mine["signature"])) == \
        (lab.n, stored[0][2], stored[0][3])
    # The file is one that audit verify takes; more are added to it by hand.
    assert lab.cli("audit", "verify", "acme", "--head", path).startswith("whole")
    copy = os.path.join(lab.d.dir, "copy")
    for n in (1, 2):
        assert lab.cli("audit", "head", "--tenant", "acme", "--export", copy).strip() == f"1 head added to {copy}"
        assert lab.cli("audit", "verify", "acme", "--head", copy).startswith("whole")
        with open(copy, encoding="utf-8") as f:
            assert len(f.readlines()) == n
    # What is in the store is looked at without being asked to.
    try:
        rows = lab.anew(4, object="somebody else")
        lab.put(rows, (rows[-1][0], rows[-1][-1]))
        assert lab.verify() == (REWRITTEN, lab.n)
        lab.put(lab.whole[:-2], (lab.n - 2, lab.whole[-3][-1]))
        assert lab.verify() == (MISSING, lab.n - 1)
        lab.put(lab.whole)
        lab.store.execute("UPDATE audit_heads SET seq = seq - 1 WHERE tenant = ?", (lab.tenant,))
        assert lab.verify() == (HEAD, lab.n - 1)
        assert "signed head of row" in lab.cli("audit", "verify", "acme", code=10)
    finally:
        lab.put(lab.whole)
        lab.store.execute("UPDATE audit_heads SET seq = ? WHERE tenant = ?", (lab.n, lab.tenant))
    assert lab.verify() == (0, 0)


def pages_of(rpc, method, size, **kw):
    entries, token = [], ""
    while True:
        page = rpc.call(method, page_size=size, page_token=token, **kw)
        assert len(page.entries) <= size, len(page.entries)
        entries += page.entries
        token = page.next_page_token
        if not token:
            return entries


def people_cli(lab, person, *words, code=0):
    token = os.path.join(lab.d.dir, "token")
    with open(os.open(token, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as f:
        f.write(person.metadata[0][1].split()[1])
    done = subprocess.run([os.path.join(BUILD, "bin", "qmesh"), "--server", f"http://127.0.0.1:{lab.d.port}",
                           "--token-file", token, "audit", *words], capture_output=True, text=True, check=False)
    assert done.returncode == code, (words, done)
    return done.stdout if not code else done.stderr


def exported(lab):
    """What an admin exports is the chain whose head is signed, and what the operator exports."""
    ann = login(lab.d, "ann", "other")
    said = people_cli(lab, ann, "export")
    lines = [json.loads(line) for line in said.splitlines()]
    assert [int(line["seq"]) for line in lines] == list(range(len(lines), 0, -1))
    head = lab.head("other")
    hashes = {int(line["seq"]): line["hash"] for line in lines}
    assert hashes.get(head.seq, head.hash) == head.hash and head.seq >= len(lines) > 2, (head, lines)
    for words in (("--tenant", "other"), ("other",), ("--tenant", lab.ids["other"])):
        operators = [json.loads(line) for line in lab.cli("audit", "export", *words).splitlines()]
        assert [line for line in operators if int(line["seq"]) <= len(lines)] == lines, (words, operators)
    # As CSV it is what the REST door gives, to either of them; the operator's of a tenant of any plan.
    status, headers, body = http(lab.d, "GET", "/api/mesh/audit?format=csv&page_size=1000",
                                 headers={"authorization": ann.metadata[0][1]})
    assert status == 200 and headers["content-type"] == "text/csv" and "link" not in headers, headers
    want = body.decode().replace("\r\n", "\n").splitlines()
    for said in (people_cli(lab, ann, "export", "--csv"), lab.cli("audit", "export", "other", "--csv")):
        assert said.splitlines() == want, (said, want)
    table = list(csv.DictReader(io.StringIO(lab.cli("audit", "export", "--tenant", "acme", "--csv"))))
    lines = [json.loads(line) for line in lab.cli("audit", "export", "acme").splitlines()]
    assert [{k: v.removeprefix("'") for k, v in row.items()} for row in table] == \
        [{k: v.removeprefix("'") if isinstance(v, str) else v for k, v in line.items()} for line in lines], table[:3]
    assert len(table) == lab.n and table[0]["seq"] == str(lab.n), (len(table), lab.n)


def read_by_the_operator(lab):
    """Any tenant's, of any plan, page by page; a person sees their own alone, and names none."""
    chains = {}
    for tenant in ("acme", "other"):
        entries = pages_of(lab.admin, "ListTenantAudit", 4, tenant=tenant)
        assert [e.seq for e in entries] == list(range(len(entries), 0, -1)), tenant
        assert entries[0].hash == lab.head(tenant).hash
        chains[tenant] = {e.hash for e in entries}
    assert len(chains["acme"]) == lab.n and not chains["acme"] & chains["other"]
    assert len(lab.admin.call("ListTenantAudit", tenant=lab.ids["acme"]).entries) == lab.n
    refused("NOT_FOUND", lab.admin.call, "ListTenantAudit", tenant="nobody")
    refused("FIELD_INVALID", lab.admin.call, "ListTenantAudit")
    refused("PAGE_TOKEN_INVALID", lab.admin.call, "ListTenantAudit", tenant="acme", page_token="x")
    listed = json.loads(lab.cli("audit", "list", "--tenant", "acme", "--limit", "3", "--json"))
    assert listed["schema"] == "qmesh.audit.list/1"
    assert [int(e["seq"]) for e in listed["entries"]] == [lab.n, lab.n - 1, lab.n - 2]
    assert "user.create" in lab.cli("audit", "list", "acme")
    assert "no tenant nobody" in lab.cli("audit", "list", "--tenant", "nobody", code=6)
    # Without a tenant it is a person's question: the operator is told what to say.
    for words in (("list",), ("export",), ("export", "--csv")):
        assert "--tenant NAME" in lab.cli("audit", *words, code=4)
    # The plan binds people, not the operator; a person's word for a tenant is refused, whichever it is.
    ann = login(lab.d, "ann", "other")
    told = {str(refused("ROLE_REQUIRED", mesh.call, "ListTenantAudit", tenant=tenant))
            for tenant in ("acme", "other", "nobody", lab.ids["acme"]) for mesh in (ann, lab.d.mesh())}
    assert len(told) == 1, told
    assert "Only the operator" in people_cli(lab, ann, "list", "--tenant", "acme", code=5)
    assert "Only the operator" in people_cli(lab, ann, "export", "--tenant", "other", code=5)
    assert {e.hash for e in pages_of(ann, "ListAudit", 1000)} >= chains["other"]
    assert not {e.hash for e in pages_of(ann, "ListAudit", 1000)} & chains["acme"]
    lab.admin.call("UpdateTenant", tenant="other", plan=1)
    refused("PLAN_LACKS_FEATURE", ann.call, "ListAudit")
    assert "tenant.update" in lab.cli("audit", "list", "--tenant", "other")
    lab.admin.call("UpdateTenant", tenant="other", plan=3)


def what_was_changed(lab):
    """A row of tenant.update says what, refused or not; what is not changed is not said."""
    lab.admin.call("UpdateTenant", tenant="other", plan=3)
    refused("PLAN_LACKS_FEATURE", lab.admin.call, "UpdateTenant", tenant="other", sso_required=True)
    lab.admin.call("UpdateTenant", tenant="other", plan=4, sso_required=True, lease_s=43200)
    lab.admin.call("UpdateTenant", tenant="other", sso_required=False)
    lab.admin.call("UpdateTenant", tenant="other", lease_s=0)
    lab.admin.call("UpdateTenant", tenant="other", end_trial=True)
    lab.admin.call("UpdateTenant", tenant="other", plan=3)
    told = [(e.object, e.result) for e in lab.admin.call("ListTenantAudit", tenant="other").entries
            if e.action == "tenant.update"][:7]
    assert told[::-1] == [
        ("other (plan team)", "OK"), ("other (sso required)", "PLAN_LACKS_FEATURE"),
        ("other (plan enterprise, sso required, lease 43200 s)", "OK"), ("other (sso off)", "OK"),
        ("other (lease off)", "OK"), ("other (trial ended)", "OK"), ("other (plan team)", "OK")], told


def all_of_them(lab):
    """audit verify without a tenant: a line each, and 10 when one is not whole, whichever it is."""
    lines = lab.cli("audit", "verify").splitlines()
    assert [line.split()[:2] for line in lines] == [["acme:", "whole:"], ["other:", "whole:"]], lines
    assert lines[0].startswith(f"acme: whole: {lab.n} rows, head {lab.n}:"), lines
    try:
        lab.put(lab.whole[:2] + lab.whole[3:])
        said = lab.cli("audit", "verify", code=10).splitlines()
        assert len(said) == 2 and "error: acme: row 3 is missing" in said, said
        assert any(line.startswith("other: whole: ") for line in said), said
        spoken = [json.loads(line) for line in lab.cli("audit", "verify", "--json", code=10).splitlines()]
        assert [(s["tenant"], s["fault"], s["bad_seq"]) for s in spoken] == \
            [("acme", "AUDIT_FAULT_MISSING", "3"), ("other", "AUDIT_FAULT_UNSPECIFIED", "0")], spoken
        lab.cli("audit", "verify", "other")
    finally:
        lab.put(lab.whole)
    # Signed heads kept elsewhere are of one tenant's question.
    assert "--tenant NAME" in lab.cli("audit", "verify", "--head", f"{lab.n}:" + "0" * 64, code=2)
    lab.cli("audit", "verify")


def for_the_operator_only(lab):
    """Neither people nor strangers sign heads, verify or list."""
    lab.admin.call("CreateUser", tenant="other", name="ann", password=PASSWORD, role=3)
    for mesh in (lab.d.mesh(), login(lab.d, "ann", "other")):
        for method, kw in (("SignAuditHeads", {}), ("VerifyAudit", {"tenant": "other"}),
                           ("ListTenantAudit", {"tenant": "other"})):
            try:
                mesh.call(method, **kw)
            except Refused as refusal:
                assert refusal.code == "PERMISSION_DENIED", refusal
            else:
                raise AssertionError(method)


def main():
    lab = Lab()
    run_all((as_documented, every_row_damaged, cut_off, written_anew, not_heads_of_it, each_day,
             all_of_them, for_the_operator_only, exported, read_by_the_operator, what_was_changed), lab)
    run("clean end", lab.close)
    return summary()


if __name__ == "__main__":
    sys.exit(main())
