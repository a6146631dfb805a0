"""`audit verify`: checks an exported file or a receipt offline; it needs no profile, no network."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from caracal_grpc.cli.context import JsonOption
from caracal_grpc.cli.errors import CliError, ExitCode, usage
from caracal_grpc.core.errors import CaracalError

if TYPE_CHECKING:
    from caracal_grpc.ledger.checks.finding import Report


def verify(
    file: Annotated[Path, typer.Argument(help="A file that audit export or receipt wrote.")],
    key: Annotated[
        str | None, typer.Option(help="The verifier key that must have signed: name+hash+key.")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="A signed checkpoint kept elsewhere, which the file must contain."),
    ] = None,
    consistency: Annotated[
        Path | None,
        typer.Option(help="What audit consistency wrote, from the older checkpoint to the newer."),
    ] = None,
    witness: Annotated[
        list[str] | None,
        typer.Option(help="Key of a witness that must have cosigned: name+hash+key. Repeatable."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check an exported ledger, a part of one, or a receipt, from the file alone.

    Exit code 0 when nothing is wrong, 6 naming each place when something is.
    """
    from caracal_grpc.cli.terminal.output import print_json

    report = _report(file, key, checkpoint, consistency, witness or [])
    if json:
        print_json(_view(report))
    else:
        _print(report, file)
    if not report.ok:
        count = len(report.findings) + report.omitted
        problems = "1 problem" if count == 1 else f"{count} problems"
        raise CliError(ExitCode.FOUND, f"{file} does not verify: {problems}")


def _report(
    file: Path,
    key: str | None,
    checkpoint: Path | None,
    consistency: Path | None,
    witnesses: list[str],
) -> Report:
    from caracal_grpc.cli.audit.proof_file import evidence, read_growth, read_note, receipt_in
    from caracal_grpc.crypto.ledger_key import verify_ed25519
    from caracal_grpc.ledger.checks.verify import unreadable, verify_file, verify_receipt

    against: dict[str, Any] = {
        "verifier_key": key,
        "checkpoint": None if checkpoint is None else read_note(checkpoint),
        "growth": None if consistency is None else read_growth(consistency),
        "witnesses": witnesses,
        "verify": verify_ed25519,
    }
    try:
        if _is_pipe(file):
            return verify_file(file, **against)
        if file.exists() and _is_empty(file):
            raise usage(f"{file} is empty; name a file that audit export wrote")
        value = receipt_in(file) if file.exists() else None
        if value is None:
            return verify_file(file, **against)
        told = evidence(value)
        return unreadable(**against) if told is None else verify_receipt(told, **against)
    except OSError as exc:
        raise usage(f"{file} cannot be read: {exc.strerror}") from exc
    except CaracalError as error:
        raise usage(error.message) from error


def _is_pipe(file: Path) -> bool:
    """Whether what is read is gone, so that nobody can look at it first."""
    return file.is_fifo()


def _is_empty(file: Path) -> bool:
    """Whether `file` holds nothing at all."""
    with file.open("rb") as stream:
        return not stream.read(1)


def _view(report: Report) -> dict[str, Any]:
    findings = [
        {"index": each.index, "kind": each.kind, "text": each.text} for each in report.findings
    ]
    return {
        "verified": report.ok,
        "entries": report.entries,
        "start": report.start,
        "pruned": report.pruned,
        "pruned_end": report.pruned_end,
        "withheld": report.withheld,
        "size": report.size,
        "root": report.root.hex(),
        "verifier_key": report.verifier_key,
        "pinned": report.pinned,
        "cosigned": [{"witness": name, "time": _time(at)} for name, at in report.cosigned],
        "findings": findings,
        "omitted": report.omitted,
    }


def _print(report: Report, file: Path) -> None:
    from caracal_grpc.cli.terminal.output import note, print_line

    for each in report.findings:
        where = "file" if each.index is None else f"entry {each.index}"
        print_line(f"{where}: {each.kind}: {each.text}")
    if report.omitted:
        print_line(f"and {report.omitted} more")
    if report.ok:
        for line in _proven(report, file):
            print_line(line)
    if not report.pinned:
        note("the key is the file's own word; name the one that you trust with --key")


def _proven(report: Report, file: Path) -> list[str]:
    """What holds, in words."""
    count = report.entries
    entries = "1 entry" if count == 1 else f"{count} entries"
    lines = [f"{file} verifies: {entries} from {report.start} on, root {report.root.hex()}"]
    if report.pruned:
        lines.append(f"{report.pruned} of them are pruned, all before {report.pruned_end}")
    if report.withheld:
        lines.append(f"of {report.withheld} what is personal is erased or not told")
    lines.append(f"signed by {report.verifier_key}, over {report.size} entries")
    lines += [f"cosigned by {name} at {_time(at)}" for name, at in report.cosigned]
    return lines


def _time(seconds: int) -> str:
    """RFC 3339; what no calendar holds stays a number."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return str(seconds)
