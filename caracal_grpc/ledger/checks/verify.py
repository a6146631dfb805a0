"""Checking offline what the ledger handed out: an exported file, or the receipt of one entry.

What can be said of a change depends on who made it. An event that was edited no longer has the hash
beside it: the place is known. If that hash was edited along, only the root tells; then the
checkpoints that some entries carry, each signed, bound the place from both sides. Nothing in a file
tells of a tail that was cut down to an older checkpoint: give one that was kept elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.checks.export import MAX_LINE, ExportError, parse_header
from caracal_grpc.ledger.checks.file_check import FileCheck
from caracal_grpc.ledger.checks.finding import Finding, Findings, Report
from caracal_grpc.ledger.checks.heads import Growth, Trust
from caracal_grpc.ledger.checks.receipt_check import Evidence, check_receipt
from caracal_grpc.ledger.notes.cosignature import WitnessKey
from caracal_grpc.ledger.notes.note import NoteError, VerifierKey, Verify
from caracal_grpc.ledger.tree import EMPTY_ROOT


def verify_file(
    source: str | Path | Iterable[str],
    *,
    verifier_key: str | None = None,
    checkpoint: str | None = None,
    growth: Growth | None = None,
    witnesses: Iterable[str] = (),
    verify: Verify,
) -> Report:
    """Checks an exported file, or its lines, and reports everything that is wrong with it.

    One pass, in memory that does not grow with the file. `verifier_key` is the key that must have
    signed; without it the file's own word is taken, and the report says so. `checkpoint` is a
    signed note that was kept elsewhere: the file must contain what it covers, or `growth` must
    connect it with the file's. `witnesses` are keys, each of which must have cosigned a checkpoint.
    Raises `FIELD_INVALID` for a malformed key, `OBJECT_NOT_FOUND` for a missing file.
    """
    trust = trusted(verifier_key, checkpoint, growth, witnesses)
    if isinstance(source, str | Path):
        try:
            with Path(source).open("rb") as file:
                return _verify(_lines(file), trust, verify)
        except FileNotFoundError as exc:
            text = f"there is no file {source}; name an exported ledger"
            raise CaracalError(Reason.OBJECT_NOT_FOUND, text) from exc
        except OSError as exc:
            raise field_invalid("file", "must be a file that can be read") from exc
    return _verify(iter(source), trust, verify)


def verify_receipt(
    evidence: Evidence,
    *,
    verifier_key: str | None = None,
    checkpoint: str | None = None,
    growth: Growth | None = None,
    witnesses: Iterable[str] = (),
    verify: Verify,
) -> Report:
    """Checks the receipt of one entry, as `verify_file` a file; raises `FIELD_INVALID`."""
    return check_receipt(evidence, trusted(verifier_key, checkpoint, growth, witnesses), verify)


def unreadable(*, verifier_key: str | None = None, **_: object) -> Report:
    """What is to say of a receipt that cannot even be read."""
    findings = (Finding(None, "malformed", "the receipt is not in the JSON of protobuf"),)
    return Report(0, EMPTY_ROOT, 0, findings, verifier_key or "", verifier_key is not None)


def trusted(
    verifier_key: str | None,
    checkpoint: str | None,
    growth: Growth | None,
    witnesses: Iterable[str],
) -> Trust:
    """What the caller got elsewhere; raises `FIELD_INVALID` for a malformed key."""
    try:
        key = None if verifier_key is None else VerifierKey.parse(verifier_key.strip())
    except NoteError as exc:
        raise field_invalid("verifier_key", "must be of the form name+hash+key") from exc
    try:
        named = tuple(WitnessKey.parse(each.strip()) for each in witnesses)
    except NoteError as exc:
        text = "must be of the form name+hash+key, with a key for cosignatures"
        raise field_invalid("witnesses", text) from exc
    return Trust(key, checkpoint, growth, named)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; of an overlong one the beginning, which is refused for its length."""
    while line := file.readline(MAX_LINE + 2):
        yield line.rstrip(b"\n")
        while len(line) > MAX_LINE and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE + 2)
            if not line:
                return


def _verify(lines: Iterator[str | bytes], trust: Trust, verify: Verify) -> Report:
    findings = Findings()
    try:
        header = parse_header(next(lines, ""))
        key = trust.key or VerifierKey.parse(header.verifier_key)
    except (ExportError, NoteError) as exc:
        findings.add(None, "malformed", f"line 1 {exc}")
        named = "" if trust.key is None else str(trust.key)
        pinned = trust.key is not None
        return Report(0, EMPTY_ROOT, 0, findings.in_order(), named, pinned)
    check = FileCheck.of(header, key, trust, verify, findings)
    for number, line in enumerate(lines, 2):
        if line.strip():
            check.read_line(number, line)
    return check.finish()
