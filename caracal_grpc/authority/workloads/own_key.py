"""Assertions of an application's own key: `private_key_jwt` (RFC 7523 section 3).

`iss` and `sub` are the application, and `jti` is required: OpenID Connect Core 1.0 section 9.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any, Final

from caracal_grpc.authority.issuers.claims import expires_at, made_at, require_times
from caracal_grpc.core.application import Application
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.issuer import ALGORITHMS
from caracal_grpc.core.limits import MAX_ASSERTION_LIFE, MAX_JTI, SHORT_ASSERTION_LIFE
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.foreign_keys import ForeignKeys
from caracal_grpc.crypto.foreign_token import ForeignToken, malformed

NO_KEYS: Final = ForeignKeys()


def signed_claims(application: Application, token: ForeignToken) -> Mapping[str, Any]:
    """What an assertion says that a key of the application has signed; raises as `claims`.

    One that names no key may be of any of them, so that who signs like that, as with a key in PEM,
    goes on when another key is put beside that one.
    """
    keys = _keys(application.jwks)
    if not token.kid:
        keys = ForeignKeys(tuple(key for key in keys.keys if token.is_of(key))[:1])
    return token.claims(keys, ALGORITHMS)


def require_own(
    claims: Mapping[str, Any],
    application: str,
    audiences: Collection[str],
    floor: float,
    now: float,
) -> str:
    """The `jti` of an assertion of the application, when it is for one of `audiences` and of now.

    It lives at most an hour, or, when it does not say since when, is in its last five minutes; and
    was made after `floor`: what was counted before a zone was restored is not known any more.
    Raises `ISSUER_MISMATCH`, `AUDIENCE_MISMATCH`, `MANDATE_MALFORMED`, `MANDATE_EXPIRED`,
    `MANDATE_NOT_YET_VALID`, `MANDATE_LIFETIME_EXCEEDED` and `MANDATE_REVOKED`.
    """
    if claims.get("iss") != application or claims.get("sub") != application:
        text = "the assertion is of another application"
        raise CaracalError(Reason.ISSUER_MISMATCH, text)
    if claims.get("aud") not in [form for each in audiences for form in (each, [each])]:
        text = "the assertion is not for this zone alone; its aud is the zone's issuer URL"
        raise CaracalError(Reason.AUDIENCE_MISMATCH, text)
    made = made_at(claims, SHORT_ASSERTION_LIFE)
    require_times(claims, made, MAX_ASSERTION_LIFE, now)
    if expires_at(claims) - made > MAX_ASSERTION_LIFE:
        text = f"the assertion lives for more than {MAX_ASSERTION_LIFE} seconds; sign a shorter one"
        raise CaracalError(Reason.MANDATE_LIFETIME_EXCEEDED, text)
    if made < floor:
        text = "the assertion is of the time before the zone was restored; sign another one"
        raise CaracalError(Reason.MANDATE_REVOKED, text)
    return _jti(claims.get("jti"))


def _jti(claimed: Any) -> str:
    fits = isinstance(claimed, str) and 0 < len(claimed) <= MAX_JTI
    if not fits or not claimed.isprintable():
        raise malformed(f"its jti is not 1 to {MAX_JTI} printable characters")
    return str(claimed)


@lru_cache(maxsize=1024)
def _keys(jwks: str) -> ForeignKeys:
    """The keys of an application; none for one that has none."""
    return ForeignKeys.from_jwks(jwks.encode()) if jwks else NO_KEYS
