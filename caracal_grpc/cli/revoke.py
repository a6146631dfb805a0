"""`revoke`: one write that kills everything that names an anchor."""

from __future__ import annotations

from typing import Annotated

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, ZoneOption, resolve


def revoke(
    anchor: Annotated[str, typer.Argument(help="What to kill: mnd_…, ses_…, app_… or key_….")],
    reason: Annotated[str, typer.Option(help="Why, for the ledger.")] = "",
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Kill a mandate, a session with all below it, an application or a key, at every edge."""
    from caracal_grpc.cli.connection import ask
    from caracal_grpc.cli.output import print_json, print_line
    from caracal_grpc.v1.revocation_service_pb2 import RevocationServiceRevokeRequest
    from caracal_grpc.v1.revocation_service_pb2_grpc import RevocationServiceStub

    target = resolve(profile, zone)
    request = RevocationServiceRevokeRequest(zone=target.zone, anchor=anchor, reason=reason)
    response = ask(target, RevocationServiceStub, "Revoke", request)
    if json:
        facts = {"anchor": anchor, "revision": response.revision}
        print_json({**facts, "audit_id": response.audit_id})
        return
    recorded = f"recorded as {response.audit_id}" if response.audit_id else "not recorded yet"
    print_line(f"revoked {anchor}: it holds from revision {response.revision} on; {recorded}")
