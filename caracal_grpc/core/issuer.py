"""Issuers that a zone trusts: of its users, and of the proofs that release its approvals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from caracal_grpc.core.limits import DEFAULT_TOKEN_AGE

ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
DEFAULT_ALGORITHMS: Final = ("RS256", "ES256")


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """Whose tokens are believed: those of exactly `issuer` for exactly `audience`.

    `name` is its own in the zone. Keys come from `jwks_uri`, or are `jwks` (a JWK set as JSON), or
    are found by discovery below `issuer`. A token is at most `max_age` seconds old.
    """

    name: str
    issuer: str
    audience: str
    jwks_uri: str = ""
    jwks: str = ""
    algorithms: tuple[str, ...] = DEFAULT_ALGORITHMS
    max_age: int = DEFAULT_TOKEN_AGE

    @property
    def is_trust_domain(self) -> bool:
        """Whether it is one of SPIFFE, by its id, `spiffe://shop.example`."""
        return self.issuer.startswith("spiffe://")

    def to_value(self) -> dict[str, Any]:
        """The JSON form for the store."""
        return asdict(self) | {"algorithms": list(self.algorithms)}

    @staticmethod
    def from_value(value: Mapping[str, Any]) -> TrustedIssuer:
        """The issuer that `to_value` wrote."""
        known = {name: value[name] for name in TrustedIssuer.__slots__}
        return TrustedIssuer(**known | {"algorithms": tuple(value["algorithms"])})
