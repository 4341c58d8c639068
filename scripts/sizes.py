#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sizes of files and functions (docs/style.md), and extern functions that only
their own file uses. Exceptions stand in scripts/sizes.txt, a list that may only
shrink. Needs pmccabe. Prints each offence and ends with 1 if there is one."""

import argparse
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

FILE_LINES = 700
HEADER_LINES = 200
FUNCTION_LINES = 100
PARAMETERS = 6
COMPLEXITY = 20
# Lines of scripts/sizes.txt; goes down with it.
EXCEPTIONS = 6
TOPS = ("base", "server", "gateway", "client", "tests")
# The public face of libqmesh is read by people who have nothing else.
LONG_HEADERS = {"client/qmesh.h"}
# What others than our own files call.
PUBLIC_HEADERS = ("client/qmesh.h", "client/mobile/")
ENTRY = {"main", "LLVMFuzzerTestOneInput", "LLVMFuzzerInitialize"}

WORD = re.compile(r"\b[A-Za-z_][A-Za-z0-9_]*\b")


def own_sources(root):
    for top in TOPS:
        for path in sorted((root / top).rglob("*.[ch]")):
            if "node_modules" not in path.parts:
                yield path


def strip(text):
    """Comments and literals become blanks; lines stay."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)


def count_parameters(signature):
    """Of "type name(a, b)"; function pointers inside count as one."""
    start = signature.find("(")
    depth, commas, inside = 0, 0, ""
    for char in signature[start:]:
        depth += char == "("
        depth -= char == ")"
        if depth == 0:
            break
        if depth == 1 and char == ",":
            commas += 1
        inside += char
    inside = inside[1:].strip()
    return 0 if inside in ("", "void") else commas + 1


def functions(root, paths):
    """(path, name, line, lines, complexity) by pmccabe; a switch counts once."""
    done = subprocess.run(["pmccabe", *[str(path) for path in paths]], cwd=root,
                          capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        match = re.match(r"(\d+)\t\d+\t\d+\t(\d+)\t(\d+)\t(\S+)\((\d+)\): (\S+)", line)
        # What a macro makes of a foreign header looks like a function to pmccabe.
        if match and not match[6].isupper():
            yield (match[4], match[6], int(match[5]), int(match[3]), int(match[1]))


class Sizes:
    def __init__(self, root):
        self.root = root
        self.offences = []
        self.exceptions = self.read_exceptions()
        self.needed = set()

    def read_exceptions(self):
        table = {}
        path = self.root / "scripts/sizes.txt"
        for line in path.read_text().splitlines() if path.exists() else []:
            if line.strip() and not line.startswith("#"):
                measure, where, value = line.split()
                table[(measure, where)] = int(value)
        return table

    def judge(self, measure, where, value, limit):
        if value <= limit:
            return
        allowed = self.exceptions.get((measure, where))
        if allowed is None:
            self.offences.append(f"{where}: {measure} {value}, at most {limit}")
            return
        self.needed.add((measure, where))
        if value > allowed:
            self.offences.append(f"{where}: {measure} {value}, its exception says {allowed}")
        elif value < allowed:
            self.offences.append(f"scripts/sizes.txt: {measure} {where} is {value} now: lower it")

    def stale_exceptions(self):
        for key in self.exceptions:
            if key not in self.needed:
                self.offences.append(f"scripts/sizes.txt: {' '.join(key)} is not needed: take it out")
        if len(self.exceptions) > EXCEPTIONS:
            self.offences.append(f"scripts/sizes.txt: {len(self.exceptions)} exceptions, "
                                 f"the list may only shrink from {EXCEPTIONS}")
        elif len(self.exceptions) < EXCEPTIONS:
            self.offences.append(f"scripts/sizes.py: lower EXCEPTIONS to {len(self.exceptions)}")

    def files(self, texts):
        for where, text in texts.items():
            if where.endswith(".c"):
                self.judge("lines", where, text.count("\n"), FILE_LINES)
            elif where not in LONG_HEADERS:
                self.judge("lines", where, text.count("\n"), HEADER_LINES)

    def bodies(self, texts):
        """Judges every function; gives back the extern ones as {name: path}."""
        extern = {}
        sources = [where for where in texts if where.endswith(".c")]
        for path, name, line, lines, complexity in functions(self.root, sources):
            where = f"{path}:{name}"
            self.judge("function-lines", where, lines, FUNCTION_LINES)
            self.judge("complexity", where, complexity, COMPLEXITY)
            rest = "\n".join(texts[path].splitlines()[line - 1:line + 20])
            at = re.search(rf"\b{re.escape(name)}\s*\(", rest)
            if not at:
                continue
            self.judge("parameters", where, count_parameters(rest[at.start():]), PARAMETERS)
            # The words before the name may stand on the lines above it.
            before = "\n".join(texts[path].splitlines()[max(0, line - 3):line - 1])
            before = re.split(r"[;}]|^#.*$", before, flags=re.M)[-1] + rest[:at.start()]
            # "__" opens the names of hooks that the sanitizers call.
            hook = name in ENTRY or name.startswith("__")
            if not re.search(r"\bstatic\b", before) and not hook:
                extern[name] = path
        return extern

    def only_at_home(self, extern, texts):
        """An extern function whose name no other file says ought to be static."""
        users = Counter()
        for where, text in texts.items():
            stem = where.rsplit(".", 1)[0]
            # A declaration is no use, a macro or an inline function is.
            if where.endswith(".h"):
                text = "".join(re.findall(r"^\s*#define(?:[^\n]*\\\n)*[^\n]*|\{[^}]*\}", text, re.M))
                stem = ""
            for word in set(WORD.findall(text)):
                if word in extern and extern[word].rsplit(".", 1)[0] != stem:
                    users[word] += 1
        public = " ".join(texts.get(where, "") for where in texts
                          if where.startswith(PUBLIC_HEADERS) and where.endswith(".h"))
        public = set(WORD.findall(public))
        for name, path in sorted(extern.items()):
            if users[name] == 0 and name not in public and not path.startswith("tests/"):
                self.judge("extern-unused", f"{path}:{name}", 1, 0)

    def run(self):
        texts = {str(path.relative_to(self.root)): strip(path.read_text(errors="replace"))
                 for path in own_sources(self.root)}
        self.files(texts)
        extern = self.bodies(texts)
        for path in sorted((self.root / "gen").rglob("*.[ch]")):
            texts[str(path.relative_to(self.root))] = path.read_text(errors="replace")
        self.only_at_home(extern, texts)
        self.stale_exceptions()
        return self.offences


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    offences = Sizes(parser.parse_args().root).run()
    for offence in offences:
        print(offence)
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
