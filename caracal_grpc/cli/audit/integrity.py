"""`audit integrity`: what the sweep of the authority found in the ledger of a zone."""

from __future__ import annotations

from typing import Any

from caracal_grpc.cli.context import JsonOption, ProfileOption, ZoneOption, resolve
from caracal_grpc.cli.errors import CliError, ExitCode


def integrity(
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Tell whether the ledger is whole, as the replica that answers last read it.

    Exit code 6 when something was found: then nothing is recorded nor decided in the zone.
    """
    from caracal_grpc.cli.connection import ask
    from caracal_grpc.cli.terminal.output import print_json
    from caracal_grpc.cli.terminal.view import view
    from caracal_grpc.v1.audit_service_pb2 import GetIntegrityRequest
    from caracal_grpc.v1.audit_service_pb2_grpc import AuditServiceStub

    target = resolve(profile, zone)
    request = GetIntegrityRequest(zone=target.zone)
    known = ask(target, AuditServiceStub, "GetIntegrity", request)
    if json:
        print_json(view(known))
    else:
        _print(target.zone, known)
    if not known.ready:
        count = len(known.findings)
        problems = "1 problem" if count == 1 else f"{count} problems"
        raise CliError(
            ExitCode.FOUND,
            f"the ledger of zone {target.zone} is not whole: {problems}; keep it as evidence, run "
            "audit verify on an export, restore it, and start the authority again",
        )


def _print(zone: str, known: Any) -> None:
    from caracal_grpc.cli.terminal.output import print_line

    if known.HasField("checked_time"):
        when = known.checked_time.ToJsonString()
        print_line(f"zone {zone}: {known.checked_size} entries were checked, until {when}")
    else:
        print_line(f"zone {zone}: the first sweep of this replica has not come to its end")
    for each in known.findings:
        where = "ledger" if each.index < 0 else f"entry {each.index}"
        print_line(f"{where}: {each.kind}: {each.text}")
