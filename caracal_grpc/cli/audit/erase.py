"""`audit erase`: forget what entries hold of a person."""

from __future__ import annotations

from typing import Annotated

import typer

from caracal_grpc.cli.audit.retaining import call, counted, require_yes
from caracal_grpc.cli.context import JsonOption, ProfileOption, ZoneOption, resolve


def erase(
    subject: Annotated[
        str, typer.Argument(metavar="SUBJECT", help="Whom entries name, such as usr_….")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count the entries, and erase nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Forget a person: the name, where from, what policy was asked and said. Proofs go on to hold.

    Entries that are on hold stay as they are, and so does what was exported or backed up before.
    """
    from caracal_grpc.cli.terminal.output import print_json, print_line

    target = resolve(profile, zone)
    if not (dry_run or yes):
        would = call(target, "EraseSubject", subject=subject, dry_run=True)
        lost = f"What {counted(would['erased'])} of zone {target.zone} hold of {subject}"
        require_yes(f"{lost} is gone for ever. Erase it?")
    done = call(target, "EraseSubject", subject=subject, dry_run=dry_run)
    if json:
        print_json(done)
        return
    erased = "would erase what is" if dry_run else "erased what is"
    print_line(f"{erased} personal of {counted(done['erased'])}; on hold: {done['held']}")
    if done["unerasable"]:
        print_line(f"{counted(done['unerasable'])} of an earlier release still say it; prune them")
    if done["audit_id"]:
        print_line(f"recorded as {done['audit_id']}")
