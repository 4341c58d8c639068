# SPDX-License-Identifier: Apache-2.0
"""The error table of base/err.c, and which of its reasons a method may give:
those that its policy implies and those that its comment names after `Errors:`."""

import re
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent.parent / "base" / "err.c"
ROW = re.compile(r"\[ERR_\w+\]\s*=\s*\{\"(\w+)\", GRPC_\w+, (\d+)\}")


def read_table():
    """Reason -> HTTP status, in the table's order."""
    table = {reason: int(status) for reason, status in ROW.findall(SOURCE.read_text())}
    if len(table) < 10:
        raise SystemExit(f"{SOURCE}: no error table that error_table.py can read")
    return table


ERROR_TABLE = read_table()


def named(method):
    """Reasons in the method's comment."""
    return re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", method.comment)


def unknown_reasons(method):
    """Words after `Errors:` that look like reasons and are none."""
    _, _, words = method.comment.partition("Errors:")
    return [word for word in re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", words)
            if word not in ERROR_TABLE]


def implied(method):
    policy = method.policy
    enum = policy.DESCRIPTOR.fields_by_name
    audience = enum["audience"].enum_type.values_by_number[policy.audience].name
    runs_on = enum["runs_on"].enum_type.values_by_number[policy.runs_on].name
    reasons = {"INTERNAL", "DRAINING"}
    if audience in ("AUDIENCE_USER", "AUDIENCE_AGENT"):
        reasons |= {"TOKEN_MISSING", "TOKEN_INVALID"}
    if policy.roles:
        reasons.add("ROLE_REQUIRED")
    if policy.self_or_admin:
        reasons |= {"NOT_OWNER", "NOT_FOUND"}
    if policy.feature or policy.min_plan:
        reasons.add("PLAN_LACKS_FEATURE")
    if policy.rate:
        reasons.add("RATE_LIMITED")
    if not policy.no_side_effects and audience != "AUDIENCE_AGENT":
        reasons.add("CROSS_SITE")
    if runs_on == "RUNS_ON_FORWARD":
        reasons.add("CP_UNREACHABLE")
        if not policy.no_side_effects:
            reasons.add("OUTCOME_UNKNOWN")
    if policy.http_status == 201:
        reasons |= {"IDEMPOTENCY_KEY_REUSED", "CALL_IN_PROGRESS"}
    if method.input.fields:
        reasons.add("FIELD_INVALID")
    if method.input.field("page_token"):
        reasons.add("PAGE_TOKEN_INVALID")
    return reasons


def reasons_of(method):
    """In the table's order."""
    wanted = implied(method) | set(named(method))
    return [reason for reason in ERROR_TABLE if reason in wanted]
