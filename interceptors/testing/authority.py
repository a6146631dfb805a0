"""Mandates without an authority: signed by a key that was made for the test and dies with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Required, TypedDict, Unpack

from caracal_grpc.core import ids
from caracal_grpc.core.limits import DEFAULT_MAX_HOPS, DEFAULT_TTL, MAX_RESOURCE_TTL
from caracal_grpc.core.mandate import Hop, Mandate, Use
from caracal_grpc.core.rule import Trust
from caracal_grpc.core.user import User
from caracal_grpc.crypto import mandates
from caracal_grpc.crypto.key_set import VerifyingKey
from caracal_grpc.crypto.signing_key import SigningKey
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.interceptors.testing.clock import CannedClock
from caracal_grpc.interceptors.testing.consumption import CannedConsumption

_IDS: Final = SystemIds()


class Claims(TypedDict, total=False):
    """What a mandate says; all but its resource goes without saying."""

    resource: Required[str]
    """What it is for, `resource://orders`."""
    scopes: Iterable[str] | str
    """What it grants, as a list or separated by spaces; by default nothing."""
    application: str
    """Who holds it; by default nobody in particular, and the last of `chain` when there is one."""
    user: User
    """The person on whose behalf, as an issuer knows them. The first of `chain`, or the holder,
    then acts for them, which is a hop, too."""
    subject: str
    """The text of the subject, as no authority of ours would write it; by default the `user`, or
    else the application that began."""
    session: str
    """The session of the holder."""
    chain: Sequence[str | Hop]
    """The applications that the authority was passed along, from the one that began to the holder:
    each after the first is a hop, by a delegation. A `Hop` without one acts on behalf of its
    caller."""
    approval: str
    """The approval that it used, `apr_…`."""
    ttl: int
    """How long it lives from its issue, in seconds; 300 by default."""
    age: float
    """How long ago it was issued, in seconds: beyond `ttl` and 5 more it has expired, and below
    zero it is not valid yet."""
    binding: str
    """The thumbprint of the certificate that it is bound to (`x5t#S256`, RFC 8705)."""
    zone: str
    """A zone other than that of the key, for a mandate to be refused."""
    issuer: str
    """An issuer other than that of the key, for a mandate to be refused."""
    use: Use
    """`session` for a mandate that only a real authority would take; by default `resource`."""


class ThrowawayAuthority:
    """Signs mandates of one zone, for tests, with a key that it makes itself.

    There is no way to give it another key, and nothing trusts its own but a `CannedFeed`. Each has
    one key: to a feed that was not told of it, it is another key of whatever zone it names.

        authority = ThrowawayAuthority("shop")
        good = authority.mandate(resource="resource://orders", scopes=["orders:place"])
        late = authority.mandate(resource="resource://orders", age=600)  # MANDATE_EXPIRED
        fake = authority.mandate(resource="resource://orders", forged=True)
        strange = ThrowawayAuthority("shop").mandate(resource="resource://orders")  # KEY_UNKNOWN

    Mandates that live longer than `max_ttl` seconds, or went over more than `max_hops` hops, are
    refused, as a zone would have it. Its `clock` is that of the servers that trust it, too:
    `authority.clock.advance(600)` lets all that it signed before expire. Its `consumption` knows
    what was used of methods that take a mandate once, at all servers that it is the authority of.
    """

    def __init__(
        self,
        zone: str = "test",
        *,
        issuer: str | None = None,
        max_ttl: int = MAX_RESOURCE_TTL,
        max_hops: int = DEFAULT_MAX_HOPS,
        clock: CannedClock | None = None,
    ) -> None:
        """Makes the key; raises `FIELD_INVALID` for a `zone` that no zone can be called."""
        self.zone = ids.require_slug("zone", zone)
        self.issuer = issuer or f"https://authority.invalid/zones/{zone}"
        self.trust = Trust(self.zone, self.issuer, max_ttl, max_hops)
        self.clock = clock or CannedClock()
        self.consumption = CannedConsumption()
        self._key = SigningKey.generate(_IDS.new(ids.KEY))

    @property
    def kid(self) -> str:
        """The name of the key, which is an anchor of every mandate that it signed."""
        return self._key.kid

    @property
    def public(self) -> VerifyingKey:
        """The key as guards see it."""
        return VerifyingKey.from_jwk(self._key.public_jwk)

    def mandate(self, *, forged: bool = False, **claims: Unpack[Claims]) -> str:
        """A mandate as it travels; good as of now, but for what `claims` and `forged` make wrong.

        Raises `MANDATE_TOO_LARGE` for claims that would not fit into the metadata of a call.
        """
        return self.sign(self.grant(**claims), forged=forged)

    def sign(self, mandate: Mandate, *, forged: bool = False) -> str:
        """The text of `mandate`, whatever it says; a `forged` one has another key's signature."""
        key = SigningKey.generate(self.kid) if forged else self._key
        return mandates.mint(key, mandate)

    def grant(self, **claims: Unpack[Claims]) -> Mandate:
        """What `mandate` signs, to be read, changed (`dataclasses.replace`) and signed."""
        parties, user = _parties(claims), claims.get("user")
        origin, holder = parties[0], parties[-1]
        # Who began acts for itself, or for a user, in a session below its own.
        chain, root = (parties, _IDS.new(ids.SESSION)) if user else (parties[1:], origin.session)
        application = claims.get("application") or holder.application
        session = claims.get("session") or holder.session
        scopes = claims.get("scopes", ())
        subject = claims.get("subject") or (user.id if user else None)
        issued_at = int(self.clock.now() - claims.get("age", 0.0))
        return Mandate(
            issuer=claims.get("issuer", self.issuer),
            zone=claims.get("zone", self.zone),
            use=claims.get("use", "resource"),
            resource=claims["resource"],
            scopes=frozenset(scopes.split() if isinstance(scopes, str) else scopes),
            subject=subject or origin.application,
            subject_type="user" if subject else "application",
            application=application,
            session=session,
            root_session=root,
            jti=_IDS.new(ids.MANDATE),
            issued_at=issued_at,
            expires_at=issued_at + claims.get("ttl", DEFAULT_TTL),
            policy_version="test",
            audit_id=_IDS.new(ids.AUDIT),
            kid=self.kid,
            chain=chain,
            binding=claims.get("binding"),
            approval=claims.get("approval"),
            user=user,
        )


def _parties(claims: Claims) -> tuple[Hop, ...]:
    """Those who took part, from the one that began to the holder; somebody, when none is named."""
    alone = Hop(
        claims.get("application") or _IDS.new(ids.APPLICATION),
        claims.get("session") or _IDS.new(ids.SESSION),
    )
    return tuple(
        Hop(each, _IDS.new(ids.SESSION), _IDS.new(ids.DELEGATION) if index else None)
        if isinstance(each, str)
        else each
        for index, each in enumerate(claims.get("chain") or (alone,))
    )
