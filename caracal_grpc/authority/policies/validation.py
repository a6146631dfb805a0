"""What is wrong with a policy: its grants are judged here, its modules and tests by the engine."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from caracal_grpc.authority.policies.content import Content
from caracal_grpc.authority.policies.references import reference_violations
from caracal_grpc.authority.state.names import Names
from caracal_grpc.core.errors import CaracalError, FieldViolation
from caracal_grpc.core.reason import Reason
from caracal_grpc.policy.grants import validate_grants
from caracal_grpc.policy.port import Engine, Finding, Report

MAX_FINDINGS: Final = 200
_MAX_VIOLATIONS: Final = 50
_FIELD: Final = "policy."
"""The field that holds the policy in every request; a finding is placed within it."""
_GRANTS: Final = f"{_FIELD}grants"
_IN_MODULE: Final = re.compile(r"(?P<module>[^:]+):(?P<line>\d+):(?P<column>\d+)")


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found, and the version that it would be, empty unless it is valid."""

    report: Report
    version: str

    def require_valid(self) -> str:
        """The version; raises `FIELD_INVALID` with a violation for each error and failed test."""
        if self.version:
            return self.version
        found = tuple(islice(_violations(self.report), _MAX_VIOLATIONS))
        text = f"{found[0].field}: {found[0].description}"
        raise CaracalError(Reason.FIELD_INVALID, text, violations=found)


async def judge(engine: Engine, content: Content, names: Names | None) -> Judged:
    """What is wrong with `content`; with `names`, also what it refers to and they do not hold.

    Raises `POLICY_FAILED` when the engine cannot judge it, and `FIELD_INVALID` for a size or a name
    that no policy may have.
    """
    faults = await asyncio.to_thread(_grant_faults, content, names)
    sound = replace(content, grants=()) if faults else content
    try:
        bundle = await asyncio.to_thread(sound.bundle)
    except CaracalError as error:
        placed = [_finding(each) for each in error.violations]
        if not all(placed):
            raise
        return Judged(_report([*faults, *filter(None, placed)], Report()), "")
    judged = Report()
    if content.modules or content.tests:  # the built-in module is ours, and compiles
        judged = await engine.validate(bundle, content.tests)
    report = _report(faults, judged)
    return Judged(report, bundle.version if report.valid else "")


def _grant_faults(content: Content, names: Names | None) -> list[Finding]:
    """What is wrong with the grants: their form, and what they refer to if that is sound."""
    try:
        grants = validate_grants(list(content.grants))
    except CaracalError as error:
        return [Finding("error", _place(each), each.description) for each in error.violations]
    if names is None:
        return []
    wrong = islice(reference_violations(_GRANTS, grants, names), MAX_FINDINGS)
    return [Finding("error", _place(each), each.description) for each in wrong]


def _finding(violation: FieldViolation) -> Finding | None:
    """The finding that a violation of the bundle is, or `None` for what has no place in it."""
    place = _IN_MODULE.fullmatch(violation.field)
    if place:
        line, column = int(place["line"]), int(place["column"])
        return Finding("error", place["module"], violation.description, line, column)
    if violation.field.startswith(_GRANTS):
        return Finding("error", _place(violation), violation.description)
    return None


def _place(violation: FieldViolation) -> str:
    return violation.field.removeprefix(_FIELD)


def _report(faults: Iterable[Finding], found: Report) -> Report:
    """All findings together, the gravest first."""
    findings = sorted([*faults, *found.findings], key=lambda each: each.severity)
    return replace(found, findings=tuple(findings[:MAX_FINDINGS]))


def _violations(report: Report) -> Iterable[FieldViolation]:
    for each in report.findings:
        if each.severity == "error":
            field = f"{each.place}:{each.line}:{each.column}" if each.line else _FIELD + each.place
            yield FieldViolation(field, each.text)
    for test in report.tests:
        if not test.passed:
            what = test.detail or "it is not true"
            yield FieldViolation(f"{test.module}:{test.name}", f"the test does not hold: {what}")
