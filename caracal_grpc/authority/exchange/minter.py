"""From a ruling to a signed mandate."""

from __future__ import annotations

from caracal_grpc.authority.exchange.case import Case, Issued
from caracal_grpc.authority.exchange.decider import Ruling
from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.state.floor import issued_before
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.ids import MANDATE
from caracal_grpc.core.limits import MIN_TTL
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.core.visibility import hidden
from caracal_grpc.core.zone import AUTHORITY
from caracal_grpc.crypto import mandates
from caracal_grpc.crypto.signing_key import SigningKey


class Minter:
    """Signs mandates with the key that signs now.

    A mandate says the second of its issue and no more, and a floor kills whole seconds. So one that
    is issued right after the floor, or by a replica whose clock is slow, is issued as of the floor:
    it would be dead on arrival otherwise. One of a replica that has not heard of the floor is dead,
    as it must be, since nobody can tell it from one that was issued before.
    """

    def __init__(self, state: State, keyring: Keyring, clock: Clock, ids: Ids) -> None:
        self._state = state
        self._keyring = keyring
        self._clock = clock
        self._ids = ids

    def mint(self, case: Case, ruling: Ruling) -> Issued:
        """A mandate for all of `ruling`, not recorded yet.

        Raises `KEY_STATE_CONFLICT` in a zone without a key that signs, `MANDATE_TOO_LARGE`.
        """
        zone, resource, lineage = ruling.zone, ruling.resource, ruling.lineage
        now = self._clock.now()
        issued_at = max(int(now), issued_before(self._state, zone.name))
        key = self._keyring.signing_key(zone.name)
        at_authority = resource is AUTHORITY
        mandate = Mandate(
            issuer=zone.issuer,
            zone=zone.name,
            use="session" if at_authority else "resource",
            resource=zone.issuer if at_authority else resource.name,
            scopes=ruling.scopes,
            subject=lineage.subject,
            subject_type=lineage.subject_type,
            user=lineage.user,
            application=lineage.application.id,
            session=lineage.session.id,
            root_session=lineage.root,
            jti=self._ids.new(MANDATE),
            issued_at=issued_at,
            expires_at=max(issued_at + 1, int(now) + self._life(case, ruling, now)),
            policy_version=case.policy_version,
            audit_id=case.audit_id,
            kid=key.kid,
            chain=lineage.chain,
            ancestors=lineage.ancestors,
            binding=case.request.binding or None,
            approval=case.approval or None,
        )
        return self._signed(key, mandate)

    def sign(self, mandate: Mandate) -> Issued | None:
        """The mandate signed again by the key that signed it; `None` when that is gone."""
        key = self._keyring.key_that_signed(mandate.zone, mandate.kid)
        return self._signed(key, mandate) if key else None

    def _signed(self, key: SigningKey, mandate: Mandate) -> Issued:
        """The mandate with its whole lineage, and a token that shows what the zone lets it show."""
        visibility, shown = self._state.zone(mandate.zone).chain_visibility, mandate
        if visibility != "full":
            shown = hidden(mandate, visibility, self._own(mandate))
        return Issued(mandate, mandates.mint(key, shown))

    def _own(self, mandate: Mandate) -> frozenset[str]:
        """The holder's session, and those right above it that are its own as well."""
        own: set[str] = set()
        name = mandate.session
        while name:
            session = self._state.find_session(mandate.zone, name)
            if session is None or session.application != mandate.application:
                break
            own.add(name)
            name = session.parent
        return frozenset(own)

    def _life(self, case: Case, ruling: Ruling, now: float) -> int:
        """Seconds: what is asked for, at least `MIN_TTL`, shortened by all that ends earlier."""
        wanted = case.request.ttl or ruling.zone.default_ttl
        bounds = [max(wanted, MIN_TTL), ruling.resource.max_ttl, ruling.decision.ttl_seconds]
        bounds.append(ruling.lineage.remaining(now))
        return max(1, min(bound for bound in bounds if bound is not None))
