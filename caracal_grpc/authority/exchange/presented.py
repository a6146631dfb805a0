"""Mandates for resources that are shown to the authority: one verdict for whatever they are for."""

from __future__ import annotations

from caracal_grpc.authority.revocation.view import AuthorityView
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.verdict import Call, judge
from caracal_grpc.crypto import mandates


class PresentedMandates:
    """Judges with the verdict of every edge, against the authority's own view."""

    def __init__(self, view: AuthorityView, clock: Clock) -> None:
        self._view = view
        self._clock = clock

    def read(self, token: str) -> Mandate:
        """The mandate in `token`, signed by a key of whichever zone; raises what a guard raises."""
        return mandates.read(token, self._view.keys)

    def judge(self, mandate: Mandate, zone: str, *, bound: bool) -> None:
        """Returns when `mandate` is one of `zone`, for a resource, and lives.

        Who shows it here is not its holder, so what it is for is not asked, nor who holds the key
        that it is bound to; `bound` is whether it may be bound at all. Raises what a guard raises.
        """
        trust = self._view.trust(mandate.kid)
        if trust is None or trust.zone != zone:
            raise CaracalError(Reason.ZONE_MISMATCH, "the mandate is of another zone")
        shown = mandate.binding if bound else None
        call = Call("resource", mandate.resource, frozenset(), self._clock.now(), shown)
        judge(mandate, trust, call, self._view.dead(zone))
