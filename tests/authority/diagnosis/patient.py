"""A rig to be diagnosed, and the short words for what is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from caracal_grpc.authority.diagnosis.check import Check, CheckStatus, Finding, Question
from caracal_grpc.authority.diagnosis.diagnosis import Diagnostics
from caracal_grpc.core.mandate import Mandate
from tests.support.rig import Rig

OK, WARNING, FAILED = CheckStatus.OK, CheckStatus.WARNING, CheckStatus.FAILED


def operator(rig: Rig) -> Mandate:
    """Who asks."""
    assert rig.operator is not None
    return rig.operator


async def found(rig: Rig, zone: str = "shop", **parts: Any) -> dict[str, Finding]:
    """Every finding by `section.name`; `parts` are looked at instead of the rig's."""
    diagnostics = rig.authority.diagnostics
    if parts:
        diagnostics = Diagnostics(replace(diagnostics._parts, **parts))
    return by_name((await diagnostics.diagnose(operator(rig), zone)).checks)


async def asked(rig: Rig, *questions: Question[Any]) -> dict[str, Finding]:
    """The findings of these questions alone."""
    diagnostics = Diagnostics(rig.authority.diagnostics._parts, questions)
    return by_name((await diagnostics.diagnose(operator(rig), "shop")).checks)


def by_name(checks: Sequence[Check]) -> dict[str, Finding]:
    """The findings, by what they are of."""
    return {f"{each.section}.{each.name}": each.finding for each in checks}


def statuses(findings: dict[str, Finding]) -> dict[str, CheckStatus]:
    """How each ended that is not as it should be."""
    return {name: each.status for name, each in findings.items() if each.status is not OK}
