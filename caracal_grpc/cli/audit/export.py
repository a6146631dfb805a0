"""`audit export`: the ledger of a zone as a file that anybody checks offline."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, Target, ZoneOption, resolve
from caracal_grpc.cli.errors import usage


def export(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not exist yet.")],
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Write every entry that the newest signed checkpoint covers to a file of mode 0600."""
    from caracal_grpc.cli.connection import run
    from caracal_grpc.cli.terminal.output import print_json, print_line

    target = resolve(profile, zone)
    with _written(file) as out:
        checkpoint = run(target, _export(target, out))
    facts = {"file": str(file), "zone": target.zone, "entries": checkpoint.size}
    facts |= {"root": checkpoint.root_hash.hex(), "verifier_key": checkpoint.verifier_key}
    if json:
        print_json(facts)
        return
    print_line(f"wrote {checkpoint.size} entries of zone {target.zone} to {file}")
    print_line(f"check them offline with: caracal-grpc audit verify {file} \\")
    print_line(f"  --key '{checkpoint.verifier_key}'")


async def _export(target: Target, out: IO[str]) -> Any:
    from caracal_grpc.cli.audit.ledger_file import write_ledger
    from caracal_grpc.cli.connection import connected
    from caracal_grpc.v1.audit_service_pb2_grpc import AuditServiceStub

    async with connected(target) as channel:
        return await write_ledger(AuditServiceStub(channel), target.zone, out)


@contextmanager
def _written(file: Path) -> Iterator[IO[str]]:
    """A file that is there under its name when it is whole, and else not at all."""
    if file.exists():
        raise usage(f"{file} exists; choose another name or move it away")
    part = file.with_name(f".{file.name}.part")
    try:
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii", newline="\n") as out:
                yield out
            part.replace(file)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as exc:
        raise usage(f"{file} cannot be written: {exc.strerror}") from exc
