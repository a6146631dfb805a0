"""Subject tokens: the mandate on whose behalf an application acts."""

from __future__ import annotations

from caracal_grpc.authority.exchange.presented import PresentedMandates
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.verdict import subject_token_invalid


class SubjectTokens:
    """Verifies subject tokens."""

    def __init__(self, presented: PresentedMandates) -> None:
        self._presented = presented

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
            # The guard of the resource has let the call in; here only its life and lineage count.
            return self._presented.live(token, zone, bound=bound)
        except CaracalError as refusal:
            raise subject_token_invalid(refusal.reason) from refusal
