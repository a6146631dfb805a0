"""`audit verify`: checks an exported file offline; it needs no profile and no network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from caracal_grpc.cli.context import JsonOption
from caracal_grpc.cli.errors import CliError, ExitCode, usage
from caracal_grpc.core.errors import CaracalError

if TYPE_CHECKING:
    from caracal_grpc.ledger.finding import Report

_MAX_CHECKPOINT: Final = 65_536


def verify(
    file: Annotated[Path, typer.Argument(help="A file that audit export wrote.")],
    key: Annotated[
        str | None, typer.Option(help="The verifier key that must have signed: name+hash+key.")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="A signed checkpoint kept elsewhere, which the file must contain."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check an exported ledger: exit code 0 when nothing is wrong, 6 naming each place when not."""
    from caracal_grpc.cli.terminal.output import print_json

    report = _report(file, key, checkpoint)
    if json:
        print_json(_view(report))
    else:
        _print(report, file)
    if not report.ok:
        count = len(report.findings) + report.omitted
        problems = "1 problem" if count == 1 else f"{count} problems"
        raise CliError(ExitCode.FOUND, f"{file} does not verify: {problems}")


def _report(file: Path, key: str | None, checkpoint: Path | None) -> Report:
    from caracal_grpc.crypto.ledger_key import verify_ed25519
    from caracal_grpc.ledger.verify import verify_file

    note = None if checkpoint is None else _read(checkpoint)
    try:
        if file.exists() and _is_empty(file):
            raise usage(f"{file} is empty; name a file that audit export wrote")
        return verify_file(file, verifier_key=key, checkpoint=note, verify=verify_ed25519)
    except OSError as exc:
        raise usage(f"{file} cannot be read: {exc.strerror}") from exc
    except CaracalError as error:
        raise usage(error.message) from error


def _is_empty(file: Path) -> bool:
    """Whether `file` holds nothing at all; a pipe could not be read again to tell more."""
    if file.is_fifo():
        return False
    with file.open("rb") as stream:
        return not stream.read(1)


def _read(path: Path) -> str:
    """The note in a file."""
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(_MAX_CHECKPOINT)
    except (OSError, UnicodeDecodeError) as exc:
        raise usage(f"--checkpoint {path} cannot be read; it must hold a signed note") from exc


def _view(report: Report) -> dict[str, Any]:
    findings = [
        {"index": each.index, "kind": each.kind, "text": each.text} for each in report.findings
    ]
    return {
        "verified": report.ok,
        "entries": report.entries,
        "size": report.size,
        "root": report.root.hex(),
        "verifier_key": report.verifier_key,
        "pinned": report.pinned,
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
        print_line(f"{file} verifies: {report.entries} entries, root {report.root.hex()}")
        print_line(f"signed by {report.verifier_key}")
    if not report.pinned:
        note("the key is the file's own word; name the one that you trust with --key")
