"""What a method asks of its caller, and what an edge knows of the zone that it trusts."""

from __future__ import annotations

from dataclasses import dataclass

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason


@dataclass(frozen=True, slots=True)
class Rule:
    """The authority of one method, by its full path `/package.Service/Method`.

    A rule is either public or names a resource and at least one scope; anything else raises
    `FIELD_INVALID`, so that a half-written rule never becomes an open door.
    """

    method: str
    resource: str = ""
    scopes: frozenset[str] = frozenset()
    public: bool = False
    public_reason: str = ""

    def __post_init__(self) -> None:
        asks = bool(self.resource and self.scopes)
        if self.public == bool(self.scopes) or not (self.public or asks):
            raise CaracalError(
                Reason.FIELD_INVALID,
                f"{self.method}: a rule is either public or names a resource and scopes",
            )


@dataclass(frozen=True, slots=True)
class Trust:
    """What an edge knows of a zone apart from its keys: who may issue, for how long, how deep."""

    zone: str
    issuer: str
    max_ttl: int
    max_hops: int
