"""Checks of the zone that is asked about: its policy, its keys, its edges."""

from __future__ import annotations

from typing import Final

from caracal_grpc.authority.diagnosis.check import Finding, Question, failed, fine, warning
from caracal_grpc.authority.diagnosis.ground import Ground
from caracal_grpc.authority.diagnosis.units import counted, span
from caracal_grpc.authority.keys.keyring import KeyReport
from caracal_grpc.authority.keys.sealed import envelope_of, sealed_records
from caracal_grpc.authority.policies.active import active_policy
from caracal_grpc.authority.revocation.feed import QUEUE
from caracal_grpc.core.keystate import KeyState
from caracal_grpc.core.limits import MAX_LIVE_KEYS

_GRACE: Final = 86_400.0
"""Seconds that a rotation may be late before somebody should look."""
_COMPILES: Final = 10.0
"""Seconds that a replica may take to compile what was activated."""


async def policy(ground: Ground) -> Finding:
    """Whether anything can be granted, and by which version."""
    version = active_policy(ground.parts.state, ground.zone.name).active
    if not version:
        return warning(
            "none is active: every exchange is denied", "apply grants, or activate a version"
        )
    if ground.zone.frozen:
        return warning(
            f"{version}, but the zone is frozen: nothing is granted",
            "unfreeze the zone when what it was frozen for is over",
        )
    return fine(version)


async def loads(ground: Ground) -> Finding:
    """Which replicas decide by the active version."""
    parts, zone = ground.parts, ground.zone.name
    told = parts.loads.of(zone, active_policy(parts.state, zone))
    if not told:
        return fine("nothing to load")
    broken = next((each for each in told if each.state == "failed"), None)
    if broken is not None:
        advice = "roll back to the version before, and validate this one again"
        why = broken.detail or "no more is known"
        return failed(f"{broken.replica} cannot use it: {why}", advice)
    late = [each for each in told if each.state != "loaded"]
    detail = f"{len(told) - len(late)} of {counted(len(told), 'replica')} decide by it"
    if all(parts.clock.now() - each.at < _COMPILES for each in late):
        return fine(detail)
    advice = "wait a moment; if it stays so, see that replica's log"
    return warning(f"{detail}, not {', '.join(each.replica for each in late)}", advice)


async def signing(ground: Ground) -> Finding:
    """Whether a key signs, for how long already, and when the next one comes."""
    parts, zone = ground.parts, ground.zone
    now = parts.clock.now()
    reports = parts.keyring.report(zone.name)
    active = _first(reports, KeyState.ACTIVE)
    if active is None:
        return failed("no key signs: every exchange fails", "run caracal-grpc keys rotate")
    age = now - active.key.times.activates_at
    detail = f"{active.key.times.kid} signs since {span(age)}"
    pending = _first(reports, KeyState.PENDING)
    if pending is not None:
        soon = span(pending.key.times.activates_at - now)
        return fine(f"{detail}; {pending.key.times.kid} follows in {soon}")
    due = zone.key_rotate - age
    if due < -_GRACE:
        return warning(
            f"{detail}; its rotation was due {span(-due)} ago", "run caracal-grpc keys rotate"
        )
    return fine(f"{detail}; rotation is due {f'in {span(due)}' if due > 0 else 'now'}")


async def verifying(ground: Ground) -> Finding:
    """How many keys every edge holds; at the most there can be no rotation."""
    count = len(ground.parts.keyring.key_set(ground.zone.name))
    detail = f"{counted(count, 'key')} of at most {MAX_LIVE_KEYS}"
    if count * 4 >= MAX_LIVE_KEYS * 3:
        return warning(detail, "rotate less often, so that older keys can retire")
    return fine(detail)


async def sealed(ground: Ground) -> Finding:
    """Whether private keys and secrets of upstreams are under an older key-encryption key."""
    parts = ground.parts
    current = parts.keyring.vault.keks.current.kek_id
    envelopes = map(envelope_of, sealed_records(parts.state, ground.zone.name))
    under = [each["kek_id"] for each in envelopes if each]
    older = sum(each != current for each in under)
    what = counted(len(under), "key or secret", "keys and secrets")
    detail = f"{what} under {current}"
    if older:
        return warning(
            f"{older} of {what} under an older key-encryption key",
            "run caracal-grpc keys reseal before the older one is taken away",
        )
    return fine(detail)


async def edges(ground: Ground) -> Finding:
    """How far behind the slowest edge is that this replica feeds."""
    fed, slowest, lost = ground.parts.feed.backlog(ground.zone.name)
    if not fed:
        return fine("no edge of the zone is fed by this replica")
    detail = f"{counted(fed, 'edge')}, {counted(slowest, 'message')} wait for the slowest"
    if lost or slowest * 2 >= QUEUE:
        behind = f"{detail}, {lost} must begin anew" if lost else detail
        return warning(behind, "see whether an edge is out of CPU, or its network is slow")
    return fine(detail)


def _first(reports: list[KeyReport], state: KeyState) -> KeyReport | None:
    return next((each for each in reports if each.state is state), None)


_LOG: Final = "see the log of this replica"

POLICY: Final = (
    Question("policy", "active", policy, _LOG),
    Question("policy", "replicas", loads, _LOG),
)
KEYS: Final = (
    Question("keys", "signing", signing, _LOG),
    Question("keys", "verifying", verifying, _LOG),
    Question("keys", "sealed", sealed, _LOG),
)
FEED: Final = (Question("feed", "edges", edges, _LOG),)
