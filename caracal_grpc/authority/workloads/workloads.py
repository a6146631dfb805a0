"""Who signed an assertion: the application itself, or who vouches for the workload."""

from __future__ import annotations

from dataclasses import replace

from caracal_grpc.authority.issuers.issuers import Issuers
from caracal_grpc.authority.state.floor import issued_before
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.workloads.assertion import Assertion
from caracal_grpc.authority.workloads.once import Once
from caracal_grpc.authority.workloads.own_key import require_own, signed_claims
from caracal_grpc.authority.workloads.vouched import (
    issuer_named,
    require_account,
    require_svid,
    svid_algorithms,
)
from caracal_grpc.core.application import Application
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.issuer import TrustedIssuer
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.workload import Shown
from caracal_grpc.core.zone import Zone
from caracal_grpc.store.port import Store


class Workloads:
    """Verifies assertions; whose application it is that they prove is not judged here."""

    def __init__(self, store: Store, state: State, issuers: Issuers, clock: Clock) -> None:
        self._state = state
        self._issuers = issuers
        self._clock = clock
        self._once = Once(store, clock)

    async def shown(self, zone: Zone, assertion: Assertion) -> Shown:
        """What a workload issuer of the zone says that the client is.

        Raises `ISSUER_MISMATCH` for one that is not registered there, `ISSUER_UNAVAILABLE` when it
        tells no keys, and whatever is wrong with the assertion.
        """
        claimed = assertion.token.claimed
        issuer = self._issuer(zone, issuer_named(claimed))
        trusted = svid_algorithms(issuer) if issuer.is_trust_domain else issuer
        claims = await self._issuers.signed(zone.name, trusted, assertion.token)
        if self._issuer(zone, issuer.issuer) != issuer:  # it may have been replaced meanwhile
            raise _unregistered()
        require = require_svid if issuer.is_trust_domain else require_account
        return require(claims, replace(issuer, audience=zone.issuer), self._clock.now())

    async def own(
        self, zone: Zone, application: Application, assertion: Assertion, token_url: str
    ) -> None:
        """Returns when the application signed the assertion, and nobody has shown it before.

        Only what would be taken counts. Raises whatever is wrong with it, `MANDATE_REPLAYED`, and
        `STORE_UNAVAILABLE`.
        """
        audiences = [each for each in (zone.issuer, token_url) if each]
        claims = signed_claims(application, assertion.token)
        floor, now = issued_before(self._state, zone.name), self._clock.now()
        jti = require_own(claims, application.id, audiences, floor, now)
        await self._once.count(zone.name, application.id, jti, float(claims["exp"]))

    def _issuer(self, zone: Zone, named: str) -> TrustedIssuer:
        for issuer in self._state.workload_issuers(zone.name):
            if issuer.issuer == named:
                return issuer
        raise _unregistered()


def _unregistered() -> CaracalError:
    text = "the issuer of the token is not registered in the zone"
    return CaracalError(Reason.ISSUER_MISMATCH, text)
