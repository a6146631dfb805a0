"""Mandates that are shown to the authority: one verdict, whatever they are for."""

from __future__ import annotations

from functools import partial

from caracal_grpc.authority.revocation.view import AuthorityView
from caracal_grpc.authority.state.aliases import Aliases
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import is_family
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.verdict import Call, judge, mandate_expired
from caracal_grpc.core.visibility import revealed
from caracal_grpc.crypto import mandates


class PresentedMandates:
    """Judges with the verdict of every edge, against the authority's own view."""

    def __init__(self, view: AuthorityView, aliases: Aliases, clock: Clock) -> None:
        self._view = view
        self._aliases = aliases
        self._clock = clock

    def read(self, token: str) -> Mandate:
        """The mandate in `token`, signed by a key of whichever zone; raises what a guard raises.

        A lineage that it hides is there in full, so that whoever goes on from it hides nobody from
        the authority.
        """
        shown = mandates.read(token, self._view.keys)
        return revealed(shown, partial(self._aliases.find, shown.zone))

    def live(self, token: str, zone: str, *, bound: bool, any_use: bool = False) -> Mandate:
        """The mandate in `token`, judged; it must not have ended, not by a moment.

        A leeway would let a mandate be renewed by exchanging it after its end.
        """
        mandate = self.read(token)
        self.judge(mandate, zone, bound=bound, any_use=any_use)
        self.require_time_left(mandate)
        return mandate

    def require_time_left(self, mandate: Mandate) -> None:
        """Raises `MANDATE_EXPIRED` for a mandate that has ended, within the leeway, too."""
        if mandate.expires_at <= self._clock.now():
            raise mandate_expired()

    def judge(
        self,
        mandate: Mandate,
        zone: str,
        *,
        bound: bool,
        any_use: bool = False,
        audience: str = "",
    ) -> None:
        """Returns when `mandate` is one of `zone`, for a resource or for `any_use`, and lives.

        Who shows it here is not its holder, so who holds the key that it is bound to is not asked;
        `bound` is whether it may be bound at all. Nor is what it is for, unless that must be an
        `audience`: a resource, or a family for any resource of it. Raises what a guard raises.
        """
        trust = self._view.trust(mandate.kid)
        if trust is None or trust.zone != zone:
            raise CaracalError(Reason.ZONE_MISMATCH, "the mandate is of another zone")
        shown = mandate.binding if bound else None
        use = mandate.use if any_use else "resource"
        call = Call(
            use,
            audience or mandate.resource,
            frozenset(),
            self._clock.now(),
            shown,
            any_member=is_family(audience),
        )
        try:
            judge(mandate, trust, call, self._view.dead(zone))
        except CaracalError as refusal:
            raise self._aliases.veil(zone, mandate.application, refusal) from None
