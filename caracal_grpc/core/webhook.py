"""Webhooks: where a zone has its new approvals told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Webhook:
    """A receiver by its name in the zone and its https URL."""

    name: str
    url: str

    def to_value(self) -> dict[str, Any]:
        """The JSON form for the store."""
        return asdict(self)

    @staticmethod
    def from_value(value: Mapping[str, Any]) -> Webhook:
        """The webhook that `to_value` wrote."""
        return Webhook(value["name"], value["url"])
