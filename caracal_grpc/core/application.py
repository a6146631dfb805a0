"""Applications: registered workloads that can authenticate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from caracal_grpc.core.ceiling import UNBOUNDED, Ceiling


@dataclass(frozen=True, slots=True)
class Application:
    """One application. Of its secret only a digest is kept; `None` never authenticates.

    `apply` is the id of the apply that made the secret, and answers with it.
    """

    id: str
    name: str
    standing_session: str
    secret_digest: str | None = field(default=None, repr=False)
    labels: tuple[str, ...] = ()
    ceiling: Ceiling = UNBOUNDED
    disabled: bool = False
    apply: str = ""

    def to_value(self) -> dict[str, Any]:
        """The JSON form for the store."""
        return {
            "id": self.id,
            "name": self.name,
            "standing_session": self.standing_session,
            "secret_digest": self.secret_digest,
            "labels": list(self.labels),
            "ceiling": self.ceiling.to_value(),
            "disabled": self.disabled,
            "apply": self.apply,
        }

    @staticmethod
    def from_value(value: Mapping[str, Any]) -> Application:
        """The application that `to_value` wrote."""
        return Application(
            id=value["id"],
            name=value["name"],
            standing_session=value["standing_session"],
            secret_digest=value["secret_digest"],
            labels=tuple(value["labels"]),
            ceiling=Ceiling.from_value(value["ceiling"]),
            disabled=value["disabled"],
            apply=value.get("apply", ""),
        )
