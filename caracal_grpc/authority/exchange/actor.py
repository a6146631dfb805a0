"""Actor tokens (RFC 8693 section 2.1): a mandate of the caller itself, which names its session.

The caller proves what it is with its own credential and always is the actor, so a token adds
nothing to what it may, and leaving one out takes nothing away from the lineage.
"""

from __future__ import annotations

from caracal_grpc.authority.exchange.case import ExchangeRequest
from caracal_grpc.authority.exchange.presented import PresentedMandates
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason


class ActorTokens:
    """Verifies actor tokens."""

    def __init__(self, presented: PresentedMandates) -> None:
        self._presented = presented

    def session(self, request: ExchangeRequest) -> str:
        """The session to act in: the actor token's, else the one that is asked for, if any.

        Raises `ACTOR_TOKEN_INVALID`, with the reason that a guard would have given, if any, as
        `cause`, and `FIELD_INVALID` when the request names another session.
        """
        if not request.actor_token:
            return request.session
        if not request.subject_token:
            raise _invalid("an actor token comes with a subject token; leave it out")
        mandate = self._verified(request)
        if request.session not in {"", mandate.session}:
            raise field_invalid("session_id", "must be the actor token's session, or left out")
        return mandate.session

    def _verified(self, request: ExchangeRequest) -> Mandate:
        try:
            mandate = self._presented.live(
                request.actor_token, request.zone, bound=bool(request.binding), any_use=True
            )
        except CaracalError as refusal:
            text = "the actor token is not a live mandate of this zone; leave it out, or renew it"
            raise _invalid(text, cause=refusal.reason.value) from refusal
        if mandate.binding not in {None, request.binding}:
            text = "the actor token is bound to another certificate; leave it out"
            raise _invalid(text, cause=Reason.BINDING_MISMATCH.value)
        own = mandate.application == mandate.subject == request.application
        if mandate.chain or not own:
            raise _invalid("the actor token is not the caller's own, for itself; leave it out")
        return mandate


def _invalid(text: str, **metadata: str) -> CaracalError:
    return CaracalError(Reason.ACTOR_TOKEN_INVALID, text, metadata=metadata)
