"""`whoami`: who the profile in use is, as its authority says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caracal_grpc.cli.context import JsonOption, ProfileOption, Target, resolve

if TYPE_CHECKING:
    from caracal_grpc.cli.profile.identity import Identity


def whoami(profile: ProfileOption = None, json: JsonOption = False) -> None:
    """Say who you are and what you may ask of the authority, by a real exchange."""
    from caracal_grpc.cli.profile.identity import identify
    from caracal_grpc.cli.terminal.output import print_facts, print_json

    target = resolve(profile, None)
    identity = identify(target)
    if json:
        print_json(view(target, identity))
    else:
        print_facts(facts(target, identity))


def view(target: Target, identity: Identity) -> dict[str, Any]:
    """An identity for programs; never a secret."""
    profile = target.profile
    return {
        "application_id": profile.application_id,
        "application_name": profile.application_name,
        "zone": profile.zone,
        "authority": profile.authority,
        "issuer": profile.issuer,
        "profile": str(target.path),
        "scopes": list(identity.scopes),
        "expires_in": identity.seconds,
        "refusal": identity.refusal,
        "audit_id": identity.audit_id,
    }


def facts(target: Target, identity: Identity) -> list[tuple[str, Any]]:
    """An identity for people."""
    profile = target.profile
    name = profile.application_name
    who = f"{name} ({profile.application_id})" if name else profile.application_id
    way = "plaintext, this machine only" if profile.plaintext else "TLS"
    chosen = f"{target.path} ({target.by})" if target.by else str(target.path)
    life = f"{identity.seconds} s at a time" if identity.seconds else ""
    return [
        ("application", who),
        ("zone", profile.zone),
        ("authority", f"{profile.authority} ({way})"),
        ("issuer", profile.issuer),
        ("profile", chosen),
        ("may ask", list(identity.scopes) or f"nothing of the authority: {identity.refusal}"),
        ("for", life),
        ("recorded as", identity.audit_id),
    ]
