"""`audit export`: the ledger of a zone as a file that anybody checks offline."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Annotated, Any

import typer

from caracal_grpc.cli.audit.written import written
from caracal_grpc.cli.context import JsonOption, ProfileOption, Target, ZoneOption, resolve
from caracal_grpc.cli.errors import CliError, ExitCode, usage


def export(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not exist yet.")],
    start: Annotated[int, typer.Option("--from", min=0, help="Index of the first entry.")] = 0,
    until: Annotated[
        int | None, typer.Option(min=1, help="Index behind the last entry. Default: all.")
    ] = None,
    entry: Annotated[str, typer.Option(help="This entry alone, aud_….")] = "",
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Write entries that the newest signed checkpoint covers, all or a range, to a file.

    Its mode is 0600. Each is proven by the file alone, whatever range it is of.
    """
    from caracal_grpc.cli.connection import run
    from caracal_grpc.cli.terminal.output import print_json, print_line

    if entry and (start or until is not None):
        raise usage("--entry is one entry alone; leave --from and --until out")
    target = resolve(profile, zone)
    with written(file) as out:
        checkpoint, start, end = run(target, _export(target, out, (start, until or 0), entry))
    facts = {"file": str(file), "zone": target.zone, "entries": end - start, "start": start}
    facts |= {"size": checkpoint.size, "root": checkpoint.root_hash.hex()}
    facts |= {"verifier_key": checkpoint.verifier_key}
    if json:
        print_json(facts)
        return
    print_line(f"wrote {end - start} entries of zone {target.zone} to {file}")
    print_line(f"check them offline with: caracal-grpc audit verify {file} \\")
    print_line(f"  --key '{checkpoint.verifier_key}'")


async def _export(
    target: Target, out: IO[str], span: tuple[int, int], audit_id: str
) -> tuple[Any, int, int]:
    """Writes the file; the checkpoint over it, and what it holds."""
    from caracal_grpc.cli.audit.ledger_file import write_ledger
    from caracal_grpc.cli.connection import connected
    from caracal_grpc.v1.audit_service_pb2_grpc import AuditServiceStub

    async with connected(target) as channel:
        stub: Any = AuditServiceStub(channel)
        if audit_id:
            index = await _index(stub, target, audit_id)
            span = index, index + 1
        start, end = span
        checkpoint = await write_ledger(stub, target.zone, out, start, end)
        return checkpoint, start, end or checkpoint.size


async def _index(stub: Any, target: Target, audit_id: str) -> int:
    from caracal_grpc.cli.connection import CALL_TIMEOUT
    from caracal_grpc.v1.audit_service_pb2 import SearchRequest

    request = SearchRequest(zone=target.zone, audit_id=audit_id)
    found = (await stub.Search(request, timeout=CALL_TIMEOUT)).entries
    if not found:
        text = f"there is no entry {audit_id} in zone {target.zone}, or it was pruned"
        raise CliError(ExitCode.STATE, text)
    return int(found[0].index)
