"""`doctor`: everything between this machine and a working authority, looked at in order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Final

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, ZoneOption, choose
from caracal_grpc.cli.errors import CliError, ExitCode, usage

if TYPE_CHECKING:
    from caracal_grpc.cli.doctor.found import Found
    from caracal_grpc.cli.doctor.patient import Patient
    from caracal_grpc.core.ports import Clock

_COLUMNS: Final = ("", "of", "check", "found", "what to do")
_SIGNS: Final = {"ok": "ok", "warning": "!", "failed": "FAILED", "skipped": "-"}


def doctor(
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail on what warns or is skipped, too.")
    ] = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Look at the profile, the way to the authority, and what it stands on; say what to do.

    What an application may not see of the authority is skipped. It leaves entries in the ledger:
    its exchanges, and one that proves that entries can be made.
    """
    from caracal_grpc.crypto.system import SystemClock

    if zone == "":
        raise usage("--zone is empty; name a zone, or leave it out for the profile's")
    examined(profile, zone, SystemClock(), strict=strict, as_json=json)


def examined(
    profile: str | None, zone: str | None, clock: Clock, *, strict: bool, as_json: bool
) -> None:
    """Prints what is found; raises `CliError` unless all is well."""
    from caracal_grpc.cli.doctor.examination import examine
    from caracal_grpc.cli.doctor.patient import Patient

    patient = Patient(choose(profile), clock, zone)
    found = asyncio.run(examine(patient))
    if as_json:
        _print_json(patient, found)
    else:
        _print(found)
    _judge(found, strict=strict)


def _judge(found: list[Found], *, strict: bool) -> None:
    if any(not each.reached for each in found):
        raise CliError(ExitCode.UNAVAILABLE, "the authority cannot be reached; see the table")
    counts = {name: sum(each.status == name for each in found) for name in _SIGNS}
    if counts["failed"]:
        raise CliError(ExitCode.FOUND, f"{_checks(counts['failed'])} failed; see what to do")
    if strict and counts["warning"]:
        raise CliError(ExitCode.FOUND, f"{_checks(counts['warning'])} warned; see what to do")
    if strict and counts["skipped"]:
        raise CliError(ExitCode.FOUND, f"{_checks(counts['skipped'])} not made; see what to do")


def _checks(count: int) -> str:
    return "1 check" if count == 1 else f"{count} checks"


def _print(found: list[Found]) -> None:
    from caracal_grpc.cli.terminal.output import print_table

    rows = (
        (_SIGNS[each.status], each.section, each.name, each.detail, each.advice) for each in found
    )
    print_table(_COLUMNS, rows, "")


def _print_json(patient: Patient, found: list[Found]) -> None:
    from caracal_grpc.cli.terminal.output import print_json

    skew = None if patient.skew is None else round(patient.skew.certain, 3)
    print_json(
        {
            "authority": patient.loaded.authority if patient.loaded else "",
            "replica": patient.replica,
            "release": patient.release,
            "skew_seconds": skew,
            "checks": [each.view() for each in found],
        }
    )
