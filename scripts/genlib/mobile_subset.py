# SPDX-License-Identifier: Apache-2.0
"""proto/mobile.bounds: which methods and bounds the phone's stubs have."""

from contract import TEXTS, Message


class Subset:
    def __init__(self, contract, text, name):
        self.contract = contract
        self.name = name
        self.methods = []
        self.maxima = {}
        self.dropped = set()
        self.complaints = []
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split("#")[0].split()
            if words:
                self.read(f"{name}:{number}", words)

    def complain(self, place, text):
        self.complaints.append(f"{place}: {text}")

    def read(self, place, words):
        if words[0] == "method" and len(words) == 2:
            self.read_method(place, words[1])
        elif words[0] == "drop" and len(words) == 2:
            if self.find_field(place, words[1]):
                self.dropped.add(words[1])
        elif words[0] == "max" and len(words) == 3 and words[2].isdigit():
            self.read_max(place, words[1], int(words[2]))
        else:
            self.complain(place, f"not understood: {' '.join(words)}")

    def read_method(self, place, name):
        for method in self.contract.methods():
            if f"{method.service.full_name}.{method.name}" == name:
                if method.client_streaming:
                    self.complain(place, f"{name} is a client stream")
                self.methods.append(method)
                return
        self.complain(place, f"no method {name}")

    def find_field(self, place, name):
        message, _, field = name.rpartition(".")
        found = self.contract.messages.get(message)
        found = found.field(field) if found else None
        if not found:
            self.complain(place, f"no field {name}")
        return found

    def read_max(self, place, name, value):
        field = self.find_field(place, name)
        if not field:
            return
        bound = field.rule.max_items if field.repeated else field.rule.max_len
        if not 0 < value <= bound:
            self.complain(place, f"{name}: the contract's own bound is {bound}")
        self.maxima[name] = value

    def fields(self, message):
        return [f for f in message.sorted_fields() if f.full_name not in self.dropped]

    def messages(self):
        """What the methods reach without the dropped fields, inner ones first."""
        seen = {}

        def visit(message):
            if message.full_name in seen:
                return
            for field in self.fields(message):
                if isinstance(field.target, Message):
                    visit(field.target)
            seen[message.full_name] = message

        for method in self.methods:
            visit(method.input)
            visit(method.output)
        return list(seen.values())

    def enums(self):
        found = {}
        for message in self.messages():
            for field in self.fields(message):
                if field.target and not isinstance(field.target, Message):
                    found[field.target.full_name] = field.target
        return [found[name] for name in sorted(found)]

    def max_items(self, field):
        return self.maxima.get(field.full_name, field.rule.max_items) if field.repeated else 0

    def max_len(self, field):
        if field.type not in TEXTS:
            return 0
        if field.message.map_entry and not field.rule:
            return self.map_rule(field.message).max_len
        if not field.repeated:
            return self.maxima.get(field.full_name, field.rule.max_len)
        return field.rule.max_len

    def map_rule(self, entry):
        return next(field.rule for message in self.contract.messages.values()
                    for field in message.fields if field.target is entry)
