#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tokens of outside issuers, made by openssl, traded for sessions: what is good,
and everything about a token that must not be."""
import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from meshrpc import PASSWORD, Daemon, Refused, enroll, http, refused  # noqa: E402
from parts import run, run_all, summary  # noqa: E402


def b64(data):
    if isinstance(data, str):
        data = data.encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*args, data=None):
    return subprocess.run(["openssl", *args], input=data, capture_output=True, check=True).stdout


class Key:
    """A key pair of an issuer; jwk() is what it publishes."""

    def __init__(self, folder, kind, kid, bits=2048, curve="P-256"):
        self.kind, self.kid = kind, kid
        self.path = os.path.join(folder, kid)
        if kind == "EC":
            self.pem = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + curve)
        else:
            self.pem = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}")
        with open(self.path, "wb") as f:
            f.write(self.pem)

    def jwk(self, **more):
        if self.kind == "EC":
            point = openssl("pkey", "-in", self.path, "-pubout", "-outform", "DER")[-64:]
            jwk = {"kty": "EC", "crv": "P-256", "x": b64(point[:32]), "y": b64(point[32:])}
        else:
            n = openssl("rsa", "-in", self.path, "-noout", "-modulus").decode().strip().split("=")[1]
            jwk = {"kty": "RSA", "n": b64(bytes.fromhex(n)), "e": "AQAB"}
        return dict(jwk, kid=self.kid, use="sig", x5t="ignored", **more)

    def sign(self, data):
        der = openssl("dgst", "-sha256", "-sign", self.path, data=data)
        if self.kind == "RSA":
            return der
        raw, at = b"", 2
        for _ in range(2):
            length = der[at + 1]
            raw += der[at + 2:at + 2 + length].lstrip(b"\0").rjust(32, b"\0")
            at += 2 + length
        return raw


class Lab:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="qmesh-signon-")
        self.ec, self.ec2 = Key(self.dir, "EC", "ec-1"), Key(self.dir, "EC", "ec-2")
        self.rsa, self.stranger = Key(self.dir, "RSA", "rsa-1"), Key(self.dir, "EC", "stranger")
        self.jwks("ec.json", self.ec.jwk(alg="ES256"), self.ec2.jwk(), self.rsa.jwk())
        self.jwks("rsa.json", self.rsa.jwk())
        self.issuers = [
            {"issuer": "https://id.example", "audience": "qmesh", "algorithm": "ES256",
             "jwks_file": self.dir + "/ec.json", "tenant": "acme", "create_users": True, "role": "ROLE_AUDITOR"},
            {"issuer": "https://rsa.example", "audience": "qmesh", "algorithm": "RS256",
             "jwks_file": self.dir + "/rsa.json", "tenant": "acme", "user_claim": "email",
             "clock_skew_s": 5},
            {"issuer": "https://id.example", "audience": "qmesh-other", "algorithm": "ES256",
             "jwks_file": self.dir + "/ec.json", "tenant": "other", "create_users": True}]
        self.write_issuers()
        self.d = Daemon(["--issuers-file", self.dir + "/issuers.json"]).start()
        self.admin = self.d.admin()
        for tenant in ("acme", "other"):
            self.admin.call("CreateTenant", name=tenant, plan=4)
            self.admin.call("CreateUser", tenant=tenant, name="ann@example.com", password=PASSWORD,
                            role=3)
        self.node = enroll(self.d, self.admin, "acme", "gw-one")
        self.other_node = enroll(self.d, self.admin, "other", "gw-one")
        self.door = self.d.mesh()

    def jwks(self, name, *keys, **more):
        with open(os.path.join(self.dir, name), "w") as f:
            json.dump(dict({"keys": list(keys)}, **more), f)

    def write_issuers(self, rows=None):
        with open(self.dir + "/issuers.json", "w") as f:
            json.dump({"issuers": self.issuers if rows is None else rows}, f)

    def token(self, key=None, header=None, raw_claims=None, **claims):
        key = key or self.ec
        body = {"iss": "https://id.example", "aud": "qmesh", "sub": "ann@example.com",
                "exp": int(time.time()) + 300, "iat": int(time.time()), "amr": ["pwd"], "x": {"y": [1]}}
        body.update(claims)
        body = {k: v for k, v in body.items() if v is not None}
        head = {"alg": "ES256" if key.kind == "EC" else "RS256", "kid": key.kid, "typ": "JWT"}
        head.update(header or {})
        head = {k: v for k, v in head.items() if v is not None}
        text = b64(json.dumps(head)) + "." + b64(raw_claims or json.dumps(body))
        return text + "." + b64(key.sign(text.encode()))

    def take(self, token, door=None):
        return (door or self.door).call("ExchangeToken", token=token)

    def close(self):
        assert self.d.stop() == 0, self.d.log()[-2000:]
        log = self.d.log()
        assert "Sanitizer" not in log and "error err" not in log, log[-3000:]
        self.d.remove()
        subprocess.run(["rm", "-r", self.dir], check=True)


def good(lab):
    got = lab.take(lab.token())
    assert (got.user.name, got.user.role) == ("ann@example.com", 3)
    me = lab.d.mesh(got.token).call("WhoAmI")
    assert (me.user, me.tenant) == ("ann@example.com", "acme")
    got = lab.take(lab.token(lab.rsa, iss="https://rsa.example", sub="7", email="ann@example.com"))
    assert got.user.name == "ann@example.com"
    lab.take(lab.token(lab.ec2, aud=["else", "qmesh"]))
    assert lab.d.mesh(lab.take(lab.token(aud="qmesh-other")).token).call("WhoAmI").tenant == "other"
    # Made at the first sign-in, with the issuer's role, once.
    first, again = (lab.take(lab.token(sub="new.one")).user for _ in range(2))
    assert first.id == again.id and first.role == 2
    refused("LOGIN_FAILED", lab.door.call, "Login", tenant="acme", user="new.one", password="*" * 10)
    rows = lab.d.mesh(lab.take(lab.token()).token).call("ListAudit", page_size=50).entries
    assert ("user.create", "issuer https://id.example", "new.one") in \
        [(r.action, r.actor, r.object) for r in rows]
    assert rows[0].action == "session.exchange" and rows[0].result == "OK"
    status, _, body = http(lab.d, "POST", "/api/auth/exchange", {"token": lab.token()})
    assert status == 200 and body["user"]["name"] == "ann@example.com", (status, body)
    # Where passwords are closed this door is open.
    lab.admin.call("UpdateTenant", tenant="acme", sso_required=True)
    refused("SSO_REQUIRED", lab.door.call, "Login", tenant="acme", user="ann@example.com",
            password=PASSWORD)
    lab.take(lab.token())
    lab.admin.call("UpdateTenant", tenant="acme", sso_required=False)


def bad(lab):
    now = int(time.time())
    genuine = lab.token()
    head, body, signature = genuine.split(".")
    public = openssl("pkey", "-in", lab.rsa.path, "-pubout")
    import hmac
    hs = b64(json.dumps({"alg": "HS256", "kid": "rsa-1", "typ": "JWT"})) + "." + \
        b64(json.dumps({"iss": "https://rsa.example", "aud": "qmesh", "email": "ann@example.com",
                        "exp": now + 300}))
    table = {
        "alg none": [b64('{"alg":"none"}') + f".{body}.", b64('{"alg":"none"}') + f".{body}.{signature}"],
        "alg of another kind": [lab.token(header={"alg": "RS256"}), lab.token(header={"alg": "es256"}),
                                lab.token(header={"alg": None}), lab.token(header={"alg": ["ES256"]})],
        "HMAC with the public key": [hs + "." + b64(hmac.digest(public, hs.encode(), "sha256"))],
        "an RSA key for ES256": [lab.token(lab.rsa), lab.token(lab.rsa, header={"alg": "ES256"})],
        "its own key": [lab.token(lab.stranger), lab.token(lab.stranger, header={"kid": "ec-1"}),
                        lab.token(lab.stranger, header={"jwk": lab.stranger.jwk()}),
                        lab.token(lab.stranger, header={"kid": None})],
        "no kid among several": [lab.token(header={"kid": None})],
        "kid": [lab.token(header={"kid": "ec-2"}), lab.token(header={"kid": "../ec-1"}),
                lab.token(header={"kid": 1})],
        "crit": [lab.token(header={"crit": ["exp"]}), lab.token(header={"b64": False})],
        "changed": [f"{head}.{b64(base64.urlsafe_b64decode(body + '==').replace(b'ann', b'bob'))}.{signature}",
                    f"{head}.{body}.{signature[:-4]}AAAA", f"{head}.{body}.{b64(bytes(64))}",
                    f"{head}.{body}."],
        "iss": [lab.token(iss="https://id.example/"), lab.token(iss=None), lab.token(iss=["https://id.example"]),
                lab.token(iss="https://rsa.example", email="ann@example.com")],
        "aud": [lab.token(aud="qmeshx"), lab.token(aud=None), lab.token(aud=[]), lab.token(aud={"qmesh": 1})],
        "exp": [lab.token(exp=now - 61), lab.token(exp=None), lab.token(exp="soon"), lab.token(exp=-1),
                lab.token(exp=10 ** 30), lab.token(lab.rsa, iss="https://rsa.example",
                                                  email="ann@example.com", exp=now - 30)],
        "nbf": [lab.token(nbf=now + 3600), lab.token(nbf="now"),
                # As far away as it looks, not one second.
                lab.token(raw_claims='{"iss":"https://id.example","aud":"qmesh","sub":"ann@example.com",'
                          f'"exp":{now + 300},"nbf":1.5e99}}')],
        "name": [lab.token(sub="a b"), lab.token(sub=""), lab.token(sub=None), lab.token(sub=7),
                 lab.token(sub="x" * 129), lab.token(sub="a\u0000b"),
                 lab.token(sub="ann@example.com\u200b"), lab.token(sub="\u202eann@example.com"),
                 lab.token(lab.rsa, iss="https://rsa.example", email="nobody@example.com")],
        "a claim twice": [lab.token(raw_claims='{"iss":"https://id.example","aud":"qmesh","sub":"a",'
                                    f'"sub":"ann@example.com","exp":{now + 300}}}')],
        "form": ["x", "a.b.c", genuine + ".x", "." + genuine, genuine + "=", genuine.replace(".", "..", 1),
                 "x" * 8000, lab.token(raw_claims="[]"), lab.token(raw_claims="{"), lab.token(raw_claims="{} {}")],
    }
    for what, tokens in table.items():
        for token in tokens:
            try:
                refusal = refused("LOGIN_FAILED", lab.take, token)
            except AssertionError as error:
                raise AssertionError(f"{what}: {error}") from None
            assert refusal.words == "The token is not accepted." and refusal.code == "UNAUTHENTICATED"
    lab.take(lab.token(exp=int(time.time()) - 5))
    lab.take(lab.token(nbf=int(time.time()) + 30))
    log = lab.d.log()
    for why in ("its issuer is not known", "another audience", "no key of the issuer", "expired"):
        assert why in log, why
    assert genuine not in log and signature not in log
    names = [u.name for u in lab.admin.call("ListUsers", tenant="acme").users]
    assert sorted(names) == ["ann@example.com", "new.one"], names
    # A session is no issuer's token, nor the other way round.
    refused("LOGIN_FAILED", lab.take, lab.take(lab.token()).token)
    refused("TOKEN_INVALID", lab.d.mesh(genuine).call, "WhoAmI")


def disabled(lab):
    who = lab.take(lab.token(sub="goes"))
    mesh = lab.d.mesh(who.token)
    mesh.call("WhoAmI")
    lab.admin.call("UpdateUser", tenant="acme", user="goes", disabled=True)
    refused("TOKEN_INVALID", mesh.call, "WhoAmI")
    refused("LOGIN_FAILED", lab.take, lab.token(sub="goes"))
    lab.admin.call("UpdateUser", tenant="acme", user="goes", disabled=False)
    lab.take(lab.token(sub="goes"))


def through_nodes(lab):
    here, there = lab.d.mesh(lab.node.agent_token), lab.d.mesh(lab.other_node.agent_token)
    got = lab.take(lab.token(), here)
    assert lab.d.mesh(lab.node.agent_token, user=got.token).call("WhoAmI").user == "ann@example.com"
    refused("TOKEN_INVALID", lab.d.mesh(got.token).call, "WhoAmI")
    refused("LOGIN_FAILED", lab.take, lab.token(), there)
    lab.take(lab.token(aud="qmesh-other"), there)


def reloaded(lab):
    """A key that is taken out is out; bad files leave what there was."""
    old = lab.token(lab.ec2)
    lab.jwks("ec.json", lab.ec.jwk(), lab.stranger.jwk())
    lab.d.process.send_signal(signal.SIGHUP)
    for _ in range(600):
        try:
            lab.take(lab.token(lab.stranger))
            break
        except Refused:
            time.sleep(0.1)
    refused("LOGIN_FAILED", lab.take, old)
    with open(lab.dir + "/issuers.json", "w") as f:
        f.write("{")
    lab.d.process.send_signal(signal.SIGHUP)
    for _ in range(600):
        if "issuers.json: " in lab.d.log():
            break
        time.sleep(0.1)
    assert "issuers.json: " in lab.d.log()
    lab.take(lab.token(lab.stranger))


def bad_start():
    with tempfile.TemporaryDirectory() as tmp:
        ec, small = Key(tmp, "EC", "ec"), Key(tmp, "RSA", "small", bits=1024)
        other = Key(tmp, "EC", "other", curve="P-384")
        row = {"issuer": "https://id.example", "audience": "qmesh", "algorithm": "ES256",
               "jwks_file": tmp + "/jwks.json", "tenant": "acme"}
        point = dict(ec.jwk(), y=b64(bytes(32)))
        cases = [("must be ES256", dict(row, algorithm="HS256"), [ec.jwk()]),
                 ("must be ES256", dict(row, algorithm="EdDSA"), [ec.jwk()]),
                 ("no public key in it fits", row, []),
                 ("no public key in it fits", dict(row, algorithm="RS256"), [ec.jwk()]),
                 ("no public key in it fits", row, [dict(other.jwk(), crv="P-384")]),
                 ("no public key in it fits", row, [ec.jwk(alg="ES384")]),
                 ("2,048 bits", dict(row, algorithm="RS256"), [small.jwk()]),
                 ("off the curve", row, [point]),
                 ("private or symmetric", row, [ec.jwk(d="AAAA")]),
                 ("private or symmetric", row, [{"kty": "oct", "k": "AAAA"}]),
                 ("same key id", row, [ec.jwk(), ec.jwk()]),
                 ("unknown field", dict(row, jwks_url="https://x"), [ec.jwk()]),
                 ("audience", dict(row, audience=""), [ec.jwk()])]
        for words, issuer, keys in cases:
            with open(tmp + "/jwks.json", "w") as f:
                json.dump({"keys": keys}, f)
            with open(tmp + "/issuers.json", "w") as f:
                json.dump({"issuers": [issuer]}, f)
            d = Daemon(["--issuers-file", tmp + "/issuers.json"])
            try:
                d.start()
                raise AssertionError(f"started: {words}")
            except RuntimeError as error:
                assert words in str(error), (words, str(error))
            finally:
                d.end()
                d.remove()


def main():
    lab = Lab()
    run_all((good, bad, disabled, through_nodes, reloaded), lab)
    run("clean end", lab.close)
    run("bad_start", bad_start)
    return summary()


if __name__ == "__main__":
    sys.exit(main())
