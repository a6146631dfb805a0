"""Secrets of upstreams, released to gateways for mandates that live.

A gateway takes the mandate of a request away and puts the real credential in its place, so this is
judged as a call at a guard is, and the secret leaves only when its entry is durable.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from caracal_grpc.authority.exchange.presented import PresentedMandates
from caracal_grpc.authority.exchange.rates import Rates
from caracal_grpc.authority.keys.vault import Vault
from caracal_grpc.authority.state.access import require_own_zone, require_zone
from caracal_grpc.authority.state.frozen import require_unfrozen
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.authority.upstreams.kind import KIND, secret_place
from caracal_grpc.core.entry import plain_text
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import RELEASE_LIFE
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.upstream import UpstreamCredential

RELEASE: Final = f"{KIND}.release"
"""The type of such an entry."""

_OWN: Final = "too many releases of the application; wait, and keep what is released for its life"
_ALL: Final = "too many releases in the zone; wait, or let the operator raise its limits"


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """What a gateway asks for: an upstream by its name, for the mandate that it was shown."""

    zone: str
    upstream: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Released:
    """A header with a secret in it, and until when it may be used, in seconds since the epoch."""

    name: str
    value: str = field(repr=False)
    expires_at: int
    audit_id: str


class Releasing:
    """Releases secrets of upstreams."""

    def __init__(
        self,
        state: State,
        vault: Vault,
        presented: PresentedMandates,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._state = state
        self._vault = vault
        self._presented = presented
        self._recorder = recorder
        self._clock = clock
        self._rates = Rates(clock, own=_OWN, every=_ALL)

    async def release(self, caller: Mandate, request: ReleaseRequest) -> Released:
        """The header for the upstream, recorded.

        Raises `OBJECT_NOT_FOUND`, `ZONE_FROZEN`, `AUDIENCE_MISMATCH` for a mandate for another
        resource, what a guard raises for one that is not good, `RATE_LIMITED` and
        `KEY_STATE_CONFLICT`, each with its entry as metadata `audit_id`, if there is one: of those
        by the rate limits there is not always. `ZONE_FORBIDDEN`, `AUTHORITY_STALE`,
        `STORE_UNAVAILABLE` and `AUDIT_UNAVAILABLE` say nothing of the mandate.
        """
        require_zone(caller, request.zone)
        self._state.zone(request.zone)
        require_own_zone(caller, request.zone)
        self._state.require_fresh()
        facts: dict[str, Any] = {"jti": "", "details": {"name": plain_text(request.upstream)}}
        try:
            name, value, expires_at = self._decided(caller, request, facts)
        except CaracalError as refusal:
            raise await self._refused(caller, request.zone, refusal, facts) from refusal.__cause__
        audit_id = await self._recorder.done(
            caller, request.zone, RELEASE, expires_at=expires_at, **facts
        )
        return Released(name, value, expires_at, audit_id)

    def _decided(
        self, caller: Mandate, request: ReleaseRequest, facts: dict[str, Any]
    ) -> tuple[str, str, int]:
        """The header and until when it may be used; what is found out on the way is in `facts`."""
        zone = self._state.zone(request.zone)
        self._rates.take(zone, caller.application)
        upstream = self._state.upstream(zone.name, request.upstream)
        if upstream is None:
            raise not_found(KIND, request.upstream)
        require_unfrozen(zone, upstream.resource)
        mandate = self._judged(request, upstream, facts)
        secret = self._vault.open(secret_place(zone.name, upstream))
        name, value = upstream.header(secret.decode())
        end = min(int(self._clock.now()) + RELEASE_LIFE, mandate.expires_at)
        return name, value, end

    def _judged(
        self, request: ReleaseRequest, upstream: UpstreamCredential, facts: dict[str, Any]
    ) -> Mandate:
        """The mandate, which goes into the facts of its entry as soon as it is known to be ours."""
        mandate = self._presented.read(request.token)
        if mandate.zone == request.zone:
            facts |= _told(mandate)
            facts["details"] = {**_lineage(mandate), **facts["details"]}
        self._presented.judge(mandate, request.zone, bound=True, audience=upstream.resource)
        self._presented.require_time_left(mandate)
        return mandate

    async def _refused(
        self, caller: Mandate, zone: str, refusal: CaracalError, facts: dict[str, Any]
    ) -> CaracalError:
        """The refusal, recorded when it says anything of the mandate and there is room for it."""
        if refusal.code == "UNAVAILABLE":
            return refusal
        if refusal.reason is Reason.RATE_LIMITED:
            unrecorded = self._rates.untold(caller.application)
            if unrecorded is None:
                return refusal
            facts["details"]["unrecorded"] = unrecorded
        return await self._recorder.refused(caller, zone, RELEASE, refusal, **facts)


def _told(mandate: Mandate) -> dict[str, Any]:
    """The fields of an entry that tell for whom a secret is released."""
    return {
        "subject": mandate.subject,
        "subject_type": mandate.subject_type,
        "session": mandate.session,
        "root_session": mandate.root_session,
        "actor_chain": tuple(hop.application for hop in mandate.chain),
        "hops": mandate.hops,
        "jti": mandate.jti,
        "resource": plain_text(mandate.resource),
    }


def _lineage(mandate: Mandate) -> dict[str, Any]:
    """What the details say of it besides."""
    details: dict[str, Any] = {
        "holder": mandate.application,
        "key": mandate.kid,
        "mandate_audit_id": mandate.audit_id,
    }
    if mandate.chain:
        details["hop_sessions"] = tuple(hop.session for hop in mandate.chain)
    if any(hop.delegation for hop in mandate.chain):
        details["delegations"] = tuple(hop.delegation or "" for hop in mandate.chain)
    return details
