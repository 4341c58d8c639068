#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Our JSON codec against protobuf's own, on random messages and broken text.

What protobuf writes we read, and the other way round, with equal messages in
every kind of field. Of changed texts: what we take, protobuf takes as the same
message (the reverse does not hold, ours is the stricter one).
"""

import json
import os
import random
import re
import struct
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

BUILD = os.environ.get("QMESH_BUILD", "build/asan")
PEER = os.path.join(BUILD, "tests/support/json_peer")
ROUNDS = 600
CHANGES = 6

asked, broken = {}, {}  # kind of check -> how often


def check(what, ok, detail=""):
    asked[what] = asked.get(what, 0) + 1
    if ok:
        return
    broken[what] = broken.get(what, 0) + 1
    if sum(broken.values()) < 20:
        print(f"FAIL {what}: {str(detail)[:600]}")


class Peer:
    def __init__(self):
        self.proc = subprocess.Popen([PEER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, what, data):
        self.proc.stdin.write(f"{what} {data.hex()}\n")
        self.proc.stdin.flush()
        verdict, _, rest = self.proc.stdout.readline().strip().partition(" ")
        if verdict == "ok":
            return bytes.fromhex(rest), ""
        if verdict != "no":
            raise SystemExit(f"json_peer is out of step at {what} {data!r}")
        return None, rest


POOL = descriptor_pool.DescriptorPool()


def type_named(name):
    return message_factory.MessageFactory(POOL).GetPrototype(POOL.FindMessageTypeByName(name))


def kinds_type():
    with tempfile.TemporaryDirectory() as scratch:
        out = scratch + "/set.pb"
        subprocess.run(["protoc", "-Itests/support/json", "-I/usr/include", "--include_imports",
                        "--descriptor_set_out=" + out, "kinds.proto"], check=True)
        files = descriptor_pb2.FileDescriptorSet()
        with open(out, "rb") as f:
            files.ParseFromString(f.read())
    for f in files.file:
        POOL.Add(f)
    return type_named("quazzar.test.Kinds")


RANGES = {"int32": (-2**31, 2**31 - 1), "int64": (-2**63, 2**63 - 1), "uint32": (0, 2**32 - 1),
          "uint64": (0, 2**64 - 1)}


def some_int(kind):
    low, high = RANGES[kind]
    return random.choice([low, high, 0, 1, max(low, -1), random.randint(low, high),
                          random.randint(0, 1000), min(high, 2**53 + 1)])


def some_text():
    return "".join(random.choice(["a", "é", "😀", "\u2028", '"', "\\", "\n", "\x01", "<", "&", "\x7f",
                                  "/", " ", "x"]) for _ in range(random.randint(0, 12)))


def some_float(single):
    f = random.choice([0.0, 1.5, -1e-7, 1e15, 3.0e38 if single else 1e308, float("inf"),
                       float("-inf"), random.uniform(-1e6, 1e6), 0.1])
    return struct.unpack("f", struct.pack("f", f))[0] if single else f


def some_bytes():
    return bytes(random.randrange(256) for _ in range(random.randint(0, 9)))


def fill_time(t):
    t.seconds = random.choice([-62135596800, 253402300799, 0, -1, random.randint(-10**10, 10**10)])
    t.nanos = random.choice([0, 1, 999999999, 500000000, 1000, random.randrange(10**9)])


def fill_inner(m):
    m.name_of_it = some_text()
    for _ in range(random.randint(0, 2)):
        m.more.add().n = some_int("uint32")


def fill_choice(m):
    pick = random.randrange(6)
    if pick == 0:
        m.chosen_number = some_int("uint32")
    elif pick == 1:
        m.chosen_string = some_text()
    elif pick == 2:
        fill_inner(m.chosen_inner)
        m.chosen_inner.SetInParent()
    elif pick == 3:
        m.chosen_bool = random.random() < 0.5
    elif pick == 4:
        m.chosen_null = 0


def fill_any(m, depth=0):
    """A message in it, one with a form of its own, or another Any."""
    pick = random.randrange(4)
    inside = type_named(["quazzar.test.Inner", "google.protobuf.Duration",
                         "google.protobuf.StringValue", "google.protobuf.Any"][pick])()
    if pick == 0:
        fill_inner(inside)
    elif pick == 1:
        inside.seconds, inside.nanos = random.randint(0, 10**9), random.randrange(10**9)
    elif pick == 2:
        inside.value = some_text()
    elif depth < 3:
        fill_any(inside, depth + 1)
    m.type_url = random.choice(["type.googleapis.com/", "a.b/c/"]) + inside.DESCRIPTOR.full_name
    m.value = inside.SerializeToString()


def fill_value(m, depth=0):
    pick = random.randrange(4 if depth > 3 else 6)
    if pick == 0:
        m.null_value = 0
    elif pick == 1:
        m.number_value = random.choice([0.0, 1.5, -1e300, random.uniform(-1e6, 1e6), 2.0**53])
    elif pick == 2:
        m.string_value = some_text()
    elif pick == 3:
        m.bool_value = random.random() < 0.5
    elif pick == 4:
        m.list_value.SetInParent()
        for _ in range(random.randint(0, 3)):
            fill_value(m.list_value.values.add(), depth + 1)
    else:
        fill_struct(m.struct_value, depth + 1)


def fill_struct(m, depth=0):
    m.SetInParent()
    for _ in range(random.randint(0, 3)):
        fill_value(m.fields[some_text()], depth + 1)


def fill_loose(m):
    """What has no type of the contract."""
    if random.random() < 0.5:
        fill_any(m.anything)
        fill_struct(m.object)
        fill_value(m.value)
        m.list.SetInParent()
    for _ in range(random.randint(0, 2)):
        fill_any(m.many_anything.add())
        fill_value(m.many_values.add())
        fill_value(m.list.values.add())
        fill_value(m.value_by_name[some_text()])


def fill_wrapped(m):
    if random.random() < 0.5:
        m.mask.paths.extend(random.sample(["a", "user_name", "owner.long_id", "x1"], random.randint(0, 3)))
        m.mask.SetInParent()
        m.wrapped_int64.value = some_int("int64")
        m.wrapped_string.value = some_text()
        m.wrapped_bool.value = random.random() < 0.5
    for _ in range(random.randint(0, 2)):
        m.many_wrapped.add().value = some_float(False)


def fill_maps(m):
    for _ in range(random.randint(0, 2)):
        fill_inner(m.by_name[some_text()])
        m.by_int[some_int("int32")] = some_text()
        m.by_bool[random.random() < 0.5] = some_int("uint64")
        m.by_uint64[some_int("uint64")] = some_bytes()


def some_message(kinds):
    m = kinds()
    maybe = lambda: random.random() < 0.5
    for field in m.DESCRIPTOR.fields:
        for kind in RANGES:
            if field.name in (f"an_{kind}", f"a_{kind}") and maybe():
                setattr(m, field.name, some_int(kind))
    for name, kind in (("a_sint32", "int32"), ("a_sint64", "int64"), ("a_fixed32", "uint32"),
                       ("a_fixed64", "uint64"), ("a_sfixed32", "int32"), ("a_sfixed64", "int64")):
        if maybe():
            setattr(m, name, some_int(kind))
    m.a_double, m.a_float = some_float(False), some_float(True)
    m.a_bool, m.a_string, m.some_bytes = maybe(), some_text(), some_bytes()
    m.colour = random.choice([0, 1, -3, 99])
    if maybe():
        fill_inner(m.inner)
        m.inner.SetInParent()
    if maybe():
        fill_time(m.at)
    if maybe():
        m.lasts.seconds = random.randint(-315576000000, 315576000000)
        m.lasts.nanos = random.randrange(10**9) * (1 if m.lasts.seconds >= 0 else -1)
    for _ in range(random.randint(0, 3)):
        m.many_int64.append(some_int("int64"))
        m.many_strings.append(some_text())
        m.many_bools.append(maybe())
        m.colours.append(random.choice([0, 1, -3]))
        fill_inner(m.many_inner.add())
        m.many_doubles.append(some_float(False))
        m.many_bytes.append(some_bytes())
        fill_time(m.many_times.add())
    fill_wrapped(m)
    fill_choice(m)
    fill_maps(m)
    fill_loose(m)
    return m


def changed(text):
    """A text with one small thing else: a byte, a token, a piece."""
    at = random.randrange(len(text))
    pick = random.randrange(5)
    if pick == 0:
        return text[:at] + random.choice('{}[]:,"\\-0129eE.+ truefalsn\x00\u00ff') + text[at + 1:]
    if pick == 1:
        return text[:at] + text[at + random.randint(1, 6):]
    if pick == 2:
        return text[:at] + text[at:at + random.randint(1, 20)] + text[at:]
    if pick == 3:
        return text[:at]
    old, new = random.choice([('"', ""), (":", ": "), ("true", "null"), ("0", "1e1"), ("Z", "+01:00"),
                              ('"0"', "0"), ("_", ""), ("s\"", "ms\""), ("RED", "Red"), ("1", "1.0"),
                              ("=", ""), ("/", "_"), ("an_int32", "anInt32"), ("1", "01")])
    where = text.find(old, at)
    return text if where < 0 else text[:where] + new + text[where + len(old):]


def unquoted(text):
    """Debian's protobuf takes 1.0 for a whole number, but not "1.0" yet."""
    return re.sub(r'"(-?\d+(\.\d+)?([eE][+-]?\d+)?)"(?!:)',
                  lambda m: m[1] if m[2] or m[3] else m[0], text)


def parse(kinds, text):
    try:
        return json_format.Parse(text, kinds(), descriptor_pool=POOL)
    except (json_format.ParseError, UnicodeError, ValueError, OverflowError, RecursionError):
        return None


def same(a, b):
    """Equal messages; protobuf-c does not write a negative zero."""
    for m in (a, b):
        for name in ("a_double", "a_float"):
            if getattr(m, name) == 0:
                m.ClearField(name)
    return a == b


def with_nulls(m, want):
    """Over REST an absent message is null; but a Value that is null is there."""
    for field in m.DESCRIPTOR.fields:
        if (field.message_type and field.label != field.LABEL_REPEATED
                and not field.containing_oneof and not m.HasField(field.name)
                and field.message_type.name != "Value"):
            want[field.name] = None
    return want


def test_round(peer, kinds):
    m = some_message(kinds)
    packed = m.SerializeToString()
    for mode, options in (("R", {"preserving_proto_field_name": True,
                                 "including_default_value_fields": True}), ("C", {})):
        text, _ = peer.ask(mode, packed)
        check("written", text is not None, m)
        want = json_format.MessageToDict(m, descriptor_pool=POOL, **options)
        if mode == "R":
            want = with_nulls(m, want)
        check(f"text {mode}", json.loads(text) == want, f"{text!r}\n{want}")
        back = parse(kinds, text)
        check(f"read by protobuf {mode}", back is not None and same(back, m), text)
        theirs = json_format.MessageToJson(m, descriptor_pool=POOL, **options)
        back, why = peer.ask("D", theirs.encode())
        check(f"read by us {mode}", back is not None and same(kinds.FromString(back), m),
              f"{why}: {theirs}")
    taken = 0
    for _ in range(CHANGES):
        other = changed(text.decode())
        try:
            raw = other.encode()
        except UnicodeError:
            continue
        back, _ = peer.ask("D", raw)
        if back is not None:
            taken += 1
            theirs = parse(kinds, other) or parse(kinds, unquoted(other))
            check("changed", theirs is not None and same(kinds.FromString(back), theirs), other)
    return taken


def main():
    if not os.path.exists(PEER):
        print(f"no {PEER}: needs protobuf-c-compiler at build time")
        return 77
    random.seed(20261122)
    kinds, peer, taken = kinds_type(), Peer(), 0
    for _ in range(ROUNDS):
        taken += test_round(peer, kinds)
    check("some changed texts are good", taken > 50, taken)
    peer.proc.stdin.close()
    check("clean end", peer.proc.wait(15) == 0)
    for what, times in asked.items():
        print(f"{'not ok' if what in broken else 'ok'} {what}: {times} times, {broken.get(what, 0)} broken")
    print(f"passed {len(asked) - len(broken)} failed {len(broken)} skipped 0")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
