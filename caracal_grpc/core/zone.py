"""Zones and the resources in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from caracal_grpc.core import limits

ChainVisibility = Literal["full", "hashed", "last"]


@dataclass(frozen=True, slots=True)
class Zone:
    """A tenant and trust boundary. Times are in seconds.

    `frozen` grants nothing but what is for the authority itself. `jwks_max_age` is how long a
    consumer that is not on the feed may keep the key set, `key_rotate` how old the signing key may
    get. Rates are exchanges a second at one replica, bursts those at once. `record_context` lets
    the ledger keep what callers say in the context of a request; after `retention_days` its entries
    are pruned, never if that is 0. `hidden_until` is the Unix time
    until which mandates may be alive that hid their lineage before the zone was told to show it; 0
    when there are none. `copied_until` is that until which copies of the key set may be kept that
    were made while `jwks_max_age` was longer; 0 when it was not.
    """

    name: str
    issuer: str
    default_ttl: int = limits.DEFAULT_TTL
    max_hops: int = limits.DEFAULT_MAX_HOPS
    key_publish: int = limits.DEFAULT_KEY_PUBLISH
    chain_visibility: ChainVisibility = "full"
    hidden_until: int = 0
    frozen: bool = False
    jwks_max_age: int = 0
    copied_until: int = 0
    key_rotate: int = limits.DEFAULT_KEY_ROTATE
    application_rate: int = limits.DEFAULT_APPLICATION_RATE
    application_burst: int = 2 * limits.DEFAULT_APPLICATION_RATE
    zone_rate: int = limits.DEFAULT_ZONE_RATE
    zone_burst: int = 2 * limits.DEFAULT_ZONE_RATE
    record_context: bool = False
    retention_days: int = 0

    def to_value(self) -> dict[str, Any]:
        """The JSON form for the store."""
        return asdict(self)

    @staticmethod
    def from_value(value: Mapping[str, Any]) -> Zone:
        """The zone that `to_value` wrote."""
        return Zone(**{name: value[name] for name in Zone.__slots__})


@dataclass(frozen=True, slots=True)
class MayAct:
    """That `actor`, by name, may act on behalf of `subjects`.

    Those are names of applications, names of users (`issuer/subject`), `issuer/*` or `*`.
    """

    actor: str
    subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Resource:
    """Something protected: the scopes that exist on it, the longest life of a mandate for it.

    `may_act` bounds who acts on behalf of whom; empty leaves that to policy.
    """

    name: str
    scopes: frozenset[str]
    max_ttl: int = limits.MAX_RESOURCE_TTL
    may_act: tuple[MayAct, ...] = ()

    def to_value(self) -> dict[str, Any]:
        """The JSON form for the store."""
        return {
            "name": self.name,
            "scopes": sorted(self.scopes),
            "max_ttl": self.max_ttl,
            "may_act": [{"actor": e.actor, "subjects": list(e.subjects)} for e in self.may_act],
        }

    @staticmethod
    def from_value(value: Mapping[str, Any]) -> Resource:
        """The resource that `to_value` wrote."""
        may_act = tuple(MayAct(e["actor"], tuple(e["subjects"])) for e in value["may_act"])
        return Resource(value["name"], frozenset(value["scopes"]), value["max_ttl"], may_act)


AUTHORITY = Resource(
    limits.AUTHORITY_RESOURCE, frozenset(limits.AUTHORITY_SCOPES), limits.MAX_SESSION_TTL
)
"""The authority itself, a resource of every zone."""
