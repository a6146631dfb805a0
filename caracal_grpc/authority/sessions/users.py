"""Users who start sessions: who an ID token says they are, unless they were revoked."""

from __future__ import annotations

from typing import Any, Final

from caracal_grpc.authority.issuers.claims import is_of_workload, issued_at
from caracal_grpc.authority.issuers.issuers import Issuers
from caracal_grpc.authority.state.liveness import was_revoked
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.issuer import TrustedIssuer
from caracal_grpc.core.limits import MAX_USER_SUBJECT
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.user import User
from caracal_grpc.crypto.foreign_token import ForeignToken, malformed


class Users:
    """Learns of users from ID tokens (OpenID Connect Core 1.0 section 2).

    A token that was shown before is good again: the application that shows it is known, a start
    may be tried again, and one login may be the reason for several sessions. What bounds its use is
    its age, by the `max_age` of the issuer and not by its `exp` alone.
    """

    def __init__(self, state: State, issuers: Issuers, clock: Clock) -> None:
        self._state = state
        self._issuers = issuers
        self._clock = clock

    async def user(self, zone: str, id_token: str) -> User:
        """Whom `id_token` is about, as a registered issuer of `zone` says.

        Raises `SUBJECT_TOKEN_INVALID` with what is wrong with it as `cause`, also for one that was
        made before its user was revoked, and `ISSUER_UNAVAILABLE`.
        """
        try:
            return await self._user(zone, id_token)
        except CaracalError as refusal:
            if refusal.reason not in _CAUSES:
                raise
            raise _invalid(refusal) from refusal

    async def _user(self, zone: str, id_token: str) -> User:
        issuer = self._issuer(zone, ForeignToken.read(id_token).claimed.get("iss"))
        claims = await self._issuers.verify(zone, issuer, id_token, self._clock.now())
        if is_of_workload(claims):  # an issuer may sign for people and for workloads
            raise malformed("it is of a workload, and not of a user")
        subject = _subject(claims.get("sub"))
        user = User(issuer.issuer, subject, f"{issuer.name}/{subject}")
        if was_revoked(self._state, zone, user.id, issued_at(claims)):
            raise _revoked()
        return user

    def _issuer(self, zone: str, claimed: object) -> TrustedIssuer:
        """The registered issuer that the token claims to be of; only its keys can prove that."""
        for issuer in self._state.issuers(zone):
            if issuer.issuer == claimed:
                return issuer
        text = "the issuer of the token is not registered in the zone"
        raise CaracalError(Reason.ISSUER_MISMATCH, text)


def require_unrevoked(state: State, zone: str, user: str) -> None:
    """Raises `SUBJECT_TOKEN_INVALID` while the revocation of a user lives, whatever their token.

    Every edge refuses the user for as long.
    """
    if user in state.dead(zone):
        raise _invalid(_revoked())


def _revoked() -> CaracalError:
    text = "the user is revoked; once that is forgotten they may log in anew"
    return CaracalError(Reason.MANDATE_REVOKED, text)


_CAUSES: Final = frozenset(
    {
        Reason.MANDATE_MALFORMED,
        Reason.MANDATE_SIGNATURE_INVALID,
        Reason.KEY_UNKNOWN,
        Reason.MANDATE_EXPIRED,
        Reason.MANDATE_NOT_YET_VALID,
        Reason.MANDATE_LIFETIME_EXCEEDED,
        Reason.ISSUER_MISMATCH,
        Reason.AUDIENCE_MISMATCH,
        Reason.MANDATE_REVOKED,
    }
)


def _invalid(refusal: CaracalError) -> CaracalError:
    cause = {"cause": refusal.reason.value}
    return CaracalError(Reason.SUBJECT_TOKEN_INVALID, refusal.message, metadata=cause)


def _subject(claimed: Any) -> str:
    """The `sub` of a token: text that can be shown, and thus written into records and rules."""
    fits = isinstance(claimed, str) and 0 < len(claimed) <= MAX_USER_SUBJECT
    if not fits or not claimed.isprintable():
        raise malformed(f"its sub is not 1 to {MAX_USER_SUBJECT} printable characters")
    return str(claimed)
