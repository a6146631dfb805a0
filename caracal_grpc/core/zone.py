"""Zones and the resources in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from caracal_grpc.core import limits


@dataclass(frozen=True, slots=True)
class Zone:
    """A tenant and trust boundary. Times are in seconds."""

    name: str
    issuer: str
    default_ttl: int = limits.DEFAULT_TTL
    max_hops: int = limits.DEFAULT_MAX_HOPS
    key_publish: int = limits.DEFAULT_KEY_PUBLISH

    def to_value(self) -> dict[str, Any]:
        """The JSON form for the store."""
        return asdict(self)

    @staticmethod
    def from_value(value: Mapping[str, Any]) -> Zone:
        """The zone that `to_value` wrote."""
        return Zone(**{name: value[name] for name in Zone.__slots__})


@dataclass(frozen=True, slots=True)
class Resource:
    """Something protected: the scopes that exist on it, the longest life of a mandate for it."""

    name: str
    scopes: frozenset[str]
    max_ttl: int = limits.MAX_RESOURCE_TTL

    def to_value(self) -> dict[str, Any]:
        """The JSON form for the store."""
        return {"name": self.name, "scopes": sorted(self.scopes), "max_ttl": self.max_ttl}

    @staticmethod
    def from_value(value: Mapping[str, Any]) -> Resource:
        """The resource that `to_value` wrote."""
        return Resource(value["name"], frozenset(value["scopes"]), value["max_ttl"])


AUTHORITY = Resource(
    limits.AUTHORITY_RESOURCE, frozenset(limits.AUTHORITY_SCOPES), limits.MAX_SESSION_TTL
)
"""The authority itself, a resource of every zone."""
