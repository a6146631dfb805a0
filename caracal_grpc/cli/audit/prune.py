"""`audit prune`: take old entries away, and leave their hashes."""

from __future__ import annotations

from typing import Annotated

import typer

from caracal_grpc.cli.audit.retaining import call, counted, require_yes
from caracal_grpc.cli.context import JsonOption, ProfileOption, ZoneOption, resolve
from caracal_grpc.cli.terminal.options import moment


def prune(
    before: Annotated[
        str,
        typer.Option(metavar="TIME", help="Entries before this: ISO 8601, or as long ago as 90d."),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would go, and prune nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Take away old entries that are not on hold; what is left can be proven as before."""
    from google.protobuf.timestamp_pb2 import Timestamp

    from caracal_grpc.cli.terminal.output import print_json, print_line

    target, until = resolve(profile, zone), Timestamp()
    until.FromDatetime(moment("--before", before))
    if not (dry_run or yes):
        would = call(target, "Prune", before=until, dry_run=True)
        gone = f"{counted(would['pruned'])} of zone {target.zone} from before {before}"
        require_yes(f"{gone} are gone for ever, but for their hashes. Prune them?")
    done = call(target, "Prune", before=until, dry_run=dry_run)
    if json:
        print_json(done)
        return
    pruned = "would prune" if dry_run else "pruned"
    print_line(f"{pruned} {counted(done['pruned'])}; on hold: {done['held']}")
    if done["audit_id"]:
        print_line(f"recorded as {done['audit_id']}")
