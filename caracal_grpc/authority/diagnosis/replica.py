"""Checks of this replica itself: its view, its fellows, their clocks, its certificate."""

from __future__ import annotations

from typing import Final

from caracal_grpc.authority.diagnosis.check import (
    Finding,
    Question,
    failed,
    fine,
    graded,
    warning,
)
from caracal_grpc.authority.diagnosis.ground import Ground
from caracal_grpc.authority.diagnosis.units import counted, span
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import LEEWAY
from caracal_grpc.crypto.certificate import Renewal, certificate_facts

_OLD: Final = 3.0
"""Seconds; a beat comes each second."""
_SKEW: Final = 2.0


async def view(ground: Ground) -> Finding:
    """How old what this replica knows is; beyond its bound it decides nothing."""
    state = ground.parts.state
    detail = f"proven current {span(state.age())} ago, at revision {state.revision}"
    advice = "see the checks of etcd: its beats do not come back through the watch"
    try:
        state.require_fresh()
    except CaracalError:
        return failed(f"stale: {detail}", advice)
    return warning(detail, advice) if state.age() >= _OLD else fine(detail)


async def fellows(ground: Ground) -> Finding:
    """Who runs besides this replica; whoever serves other machines needs a second one."""
    replicas = ground.parts.replicas
    others = sorted(replicas.live() - {replicas.own})
    if others:
        return fine(f"{counted(len(others) + 1, 'replica')}: this one and {', '.join(others)}")
    if ground.parts.certificate() is None:
        return fine("1 replica: this one, for this machine alone")
    advice = "run another one over the same etcd, and give clients the addresses of both"
    return warning("1 replica: this one; while it is away nothing is granted", advice)


async def clocks(ground: Ground) -> Finding:
    """How far the clocks of the others are from ours; mandates allow for `LEEWAY` seconds."""
    ahead = ground.parts.replicas.ahead()
    if not ahead:
        return fine("no other replica to compare with")
    worst = max(ahead, key=lambda each: abs(ahead[each]))
    way = "ahead of" if ahead[worst] > 0 else "behind"
    off = abs(ahead[worst])
    advice = "let NTP or chrony keep the time of every host of the authority"
    return graded(off, _SKEW, LEEWAY, f"{worst} is {span(off)} {way} this one", advice)


async def certificate(ground: Ground) -> Finding:
    """How long the certificate is good that the server shows."""
    pem = ground.parts.certificate()
    if pem is None:
        return fine("plaintext, on loopback alone")
    facts, now = certificate_facts(pem), ground.parts.clock.now()
    advice = "renew the certificate of tls_cert_file and restart this replica"
    left = span(abs(facts.ends - now))
    renewal = facts.renewal(now)
    if renewal is Renewal.OVERDUE:
        return failed(f"expired {left} ago", advice)
    if renewal is Renewal.NOW:
        return failed(f"good for {left} more", advice)
    detail = f"good for {left} more"
    return warning(detail, advice) if renewal is Renewal.SOON else fine(detail)


_LOG: Final = "see the log of this replica"

AUTHORITY: Final = (
    Question("authority", "view", view, _LOG),
    Question("authority", "replicas", fellows, _LOG),
    Question("authority", "clocks", clocks, _LOG),
)
TLS: Final = (Question("tls", "certificate", certificate, "see the file of tls_cert_file"),)
