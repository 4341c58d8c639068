#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who may include whom. Includes go down the table, never up or sideways, and a
foreign library's header appears only in the files that docs/dependencies.md
names. Prints each offence as file:line and ends with 1 if there is one."""

import argparse
import fnmatch
import re
import sys
from pathlib import Path

# Folder -> folders it may include besides itself. The longest folder wins.
SERVICES = {
    "server/store": ["base", "gen"],
    "server/wg": ["base", "gen"],
    "server/dns": ["base", "gen"],
    "server/peers": ["base", "gen"],
    "client": ["base", "gen"],
}
LOWER = ["base", "gen", "server/rpc"]
MAY = {
    "base": [],
    "gen": ["base"],
    "gen/nano": [],
    "server/rpc": ["base", "gen"],
    **SERVICES,
    "client/mobile": ["gen/nano"],
    "gateway": LOWER,
    "server/cp": LOWER + ["gateway", "server/store", "server/peers"],
    "server/node": LOWER + ["gateway", "server/wg", "server/dns", "server/peers", "client"],
    "client/cli": ["base", "gen", "client", "server/store"],
    "tests": ["base", "gen", "gen/nano", "gateway", "server/rpc", "server/cp", "server/node",
              "client/mobile", "client/cli", *SERVICES],
}
# Generated client stubs are part of the client's face to its user.
EXTRA = {("gen", "client/qmesh.h")}

LIBC = set("""
assert ctype dirent endian errno fcntl float ftw getopt glob grp ifaddrs inttypes limits locale malloc
math netdb poll pthread pwd regex sched semaphore setjmp signal spawn stdalign stdarg stdatomic
stdbool stddef stdint stdio stdlib string strings syslog termios threads time ucontext unistd
utime wchar wctype langinfo fnmatch libgen search byteswap link dlfcn execinfo alloca
""".split())
LIBC_FOLDERS = ("sys/", "arpa/", "net/", "netinet/", "netpacket/", "linux/", "asm/", "sanitizer/")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
ROW = re.compile(r"^\|([^|]+)\|([^|]+)\|([^|]+)\|([^|]+)\|([^|]+)\|([^|]+)\|\s*$")


def folder_of(path):
    """The layer a file belongs to."""
    best = ""
    for folder in MAY:
        if path.startswith(folder + "/") and len(folder) > len(best):
            best = folder
    return best


def read_libraries(root):
    """[(name, header patterns, file patterns)] from docs/dependencies.md."""
    rows = []
    for line in (root / "docs/dependencies.md").read_text().splitlines():
        match = ROW.match(line)
        if not match or "`" not in match[3]:
            continue
        rows.append((match[1].strip(), re.findall(r"`([^`]+)`", match[3]),
                     re.findall(r"`([^`]+)`", match[5])))
    return rows


def sources(root):
    for top in ("base", "gen", "server", "gateway", "client", "tests"):
        for path in sorted((root / top).rglob("*.[ch]")):
            if "node_modules" not in path.parts:
                yield path


class Check:
    def __init__(self, root):
        self.root = root
        self.libraries = read_libraries(root)
        self.used = {}
        self.offences = []

    def say(self, where, words):
        self.offences.append(f"{where}: {words}")

    def ours(self, where, path, name):
        source = folder_of(path)
        # Generated headers include each other from gen/c.
        target_path = name
        if not (self.root / name).exists():
            for base in ("gen/c/", "gen/nano/", str(Path(path).parent) + "/"):
                if (self.root / (base + name)).exists():
                    target_path = base + name
                    break
            else:
                # What a test's own build makes is its own matter.
                if source == "tests":
                    return
                self.say(where, f'"{name}" is no file of ours; ours are included from the root')
                return
        target = folder_of(target_path)
        if source == target or target in MAY.get(source, []):
            return
        if (source, target_path) in EXTRA:
            return
        if target.startswith("gen/nano") and source.startswith("gen"):
            return
        self.say(where, f"{source or path} may not include {target or target_path} ({name})")

    def foreign(self, where, path, name):
        stem = name[:-2] if name.endswith(".h") else name
        if stem in LIBC or name.startswith(LIBC_FOLDERS):
            return
        for library, headers, files in self.libraries:
            if not any(fnmatch.fnmatch(name, pattern) for pattern in headers):
                continue
            self.used.setdefault(library, set()).add(path)
            # Tests may look at anything.
            if not path.startswith("tests/") and not any(
                    fnmatch.fnmatch(path, pattern) for pattern in files):
                self.say(where, f"<{name}> of {library} is not allowed here "
                                "(docs/dependencies.md says where)")
            return
        self.say(where, f"<{name}> belongs to no library of docs/dependencies.md")

    def crowded(self):
        """More than two files of one layer that know the same library."""
        for library, headers, files in self.libraries:
            named = [pattern for pattern in files if "*" not in pattern]
            for folder in MAY:
                here = [name for name in named if folder_of(name) == folder]
                if len(here) > 2:
                    self.say("docs/dependencies.md", f"{library} in {len(here)} files of {folder}, "
                                                     "two at most")
            for name in named:
                if (self.root / name).exists() and name not in self.used.get(library, set()):
                    self.say("docs/dependencies.md", f"{name} does not use {library} any more")

    def run(self):
        for path in sources(self.root):
            relative = str(path.relative_to(self.root))
            for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
                match = INCLUDE.match(line)
                if not match:
                    continue
                where = f"{relative}:{number}"
                # What nanopb and protobuf-c write includes their own headers in quotes.
                foreign = match[1] == "<" or (relative.startswith("gen/") and not (
                    self.root / match[2]).exists() and match[2].startswith("pb"))
                if foreign:
                    self.foreign(where, relative, match[2])
                else:
                    self.ours(where, relative, match[2])
        self.crowded()
        return self.offences


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    offences = Check(parser.parse_args().root).run()
    for offence in offences:
        print(offence)
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
