"""Subject tokens: the mandate on whose behalf an application acts."""

from __future__ import annotations

from caracal_grpc.authority.exchange.presented import PresentedMandates
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.verdict import mandate_expired, subject_token_invalid


class SubjectTokens:
    """Verifies subject tokens."""

    def __init__(self, presented: PresentedMandates, clock: Clock) -> None:
        self._presented = presented
        self._clock = clock

    def verify(self, zone: str, token: str, *, bound: bool) -> Mandate | None:
        """The mandate in `token`, `None` without one.

        `bound` is whether it is exchanged for a mandate that is bound to the caller's certificate.
        Only then may it be bound itself. Who presents it here is the actor, never its holder, whose
        key was proven to the guard that let the call in and cannot be proven again; so the actor
        answers for it with its own credential and its own key, and policy says for whom it may act.
        Thus a stolen bound token is of no use to who has no certificate, and is never made into one
        that serves anybody.

        Raises `SUBJECT_TOKEN_INVALID` with the reason that a guard would have given as `cause`.
        """
        if not token:
            return None
        try:
            return self._verify(zone, token, bound=bound)
        except CaracalError as refusal:
            raise subject_token_invalid(refusal.reason) from refusal

    def _verify(self, zone: str, token: str, *, bound: bool) -> Mandate:
        # The guard of the resource has let the call in; here only its life and lineage count.
        mandate = self._presented.read(token)
        self._presented.judge(mandate, zone, bound=bound)
        # No leeway here: it would let a mandate be renewed by exchanging it after its end.
        if mandate.expires_at <= self._clock.now():
            raise mandate_expired()
        return mandate
