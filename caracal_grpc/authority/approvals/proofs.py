"""Proofs: what a proof system of the zone signed, held against the approval that it releases."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, Final

from caracal_grpc.authority.issuers.issuers import Issuers
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.approval import Approval
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.issuer import TrustedIssuer
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason


class Proofs:
    """Verifies proofs."""

    def __init__(self, state: State, issuers: Issuers, clock: Clock) -> None:
        self._state = state
        self._issuers = issuers
        self._clock = clock

    def system_of(self, approval: Approval) -> TrustedIssuer:
        """The proof system that can release the approval; raises `FIELD_INVALID` without one."""
        wanted, zone = approval.terms.proof_system, approval.held.zone
        for system in self._state.proof_systems(zone) if wanted else ():
            if system.name == wanted:
                return system
        raise field_invalid("id", "no proof can release this approval; ask its reviewers")

    async def require(self, approval: Approval, system: TrustedIssuer, proof: str) -> None:
        """Returns when `proof` is of the system, of now, and of this very approval.

        Raises `PROOF_INVALID` with what is wrong as metadata `cause`, `ISSUER_UNAVAILABLE`.
        """
        now = self._clock.now()
        try:
            claims = await self._issuers.verify(approval.held.zone, system, proof, now)
        except CaracalError as refusal:
            if refusal.code == "UNAVAILABLE":  # that says nothing of the proof
                raise
            raise _invalid(_CAUSES.get(refusal.reason, "form")) from refusal
        for name, cause, wanted in _claims_of(approval):
            if not _equal(claims, name, wanted):
                raise _invalid(cause)


def _claims_of(approval: Approval) -> tuple[tuple[str, str, str], ...]:
    """What a proof must claim: the claim, what is wrong when it does not, and its value."""
    return (
        ("approval_id", "approval", approval.id),
        ("nonce", "nonce", approval.nonce),
        ("binding", "binding", approval.held.binding),
    )


def _equal(claims: Mapping[str, Any], name: str, wanted: str) -> bool:
    found = claims.get(name)
    given = found.encode("utf-8", "surrogatepass") if isinstance(found, str) else b""
    return bool(wanted) and hmac.compare_digest(given, wanted.encode())


def _invalid(cause: str) -> CaracalError:
    return CaracalError(
        Reason.PROOF_INVALID,
        f"the proof does not release this approval: wrong {cause}; obtain a fresh one",
        metadata={"cause": cause},
    )


_CAUSES: Final[Mapping[Reason, str]] = {
    Reason.MANDATE_SIGNATURE_INVALID: "signature",
    Reason.KEY_UNKNOWN: "signature",
    Reason.ISSUER_MISMATCH: "issuer",
    Reason.AUDIENCE_MISMATCH: "audience",
    Reason.MANDATE_EXPIRED: "age",
    Reason.MANDATE_NOT_YET_VALID: "age",
    Reason.MANDATE_LIFETIME_EXCEEDED: "age",
}
"""What is wrong with a proof, by why its verification refused it; anything else is its form."""
