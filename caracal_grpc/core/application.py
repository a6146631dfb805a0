"""Applications: registered workloads that can authenticate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from caracal_grpc.core.ceiling import UNBOUNDED, Ceiling
from caracal_grpc.core.workload import Shown, WorkloadIdentity, identity_of


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """What is kept of a secret of an application: a digest, and until when it authenticates.

    Times are in seconds since the Unix epoch; `expires_at` 0 means until it is deleted.
    """

    id: str
    digest: str = field(repr=False)
    created_at: int
    expires_at: int = 0

    def lives(self, now: float) -> bool:
        """Whether it authenticates at `now`."""
        return not self.expires_at or now < self.expires_at

    def to_value(self) -> dict[str, Any]:
        """The JSON form for the store."""
        return asdict(self)

    @staticmethod
    def from_value(value: Mapping[str, Any]) -> StoredCredential:
        """The credential that `to_value` wrote."""
        return StoredCredential(**{name: value[name] for name in StoredCredential.__slots__})


@dataclass(frozen=True, slots=True)
class Application:
    """One application. It authenticates by a credential that lives, by one of its `identities`, or
    by an assertion that a key of `jwks` signed, a JWK set as JSON; else never.

    `apply` is the id of the apply that made the secret, and answers with it; empty for none.
    """

    id: str
    name: str
    standing_session: str
    credentials: tuple[StoredCredential, ...] = ()
    labels: tuple[str, ...] = ()
    ceiling: Ceiling = UNBOUNDED
    disabled: bool = False
    apply: str = ""
    identities: tuple[WorkloadIdentity, ...] = ()
    jwks: str = field(default="", repr=False)

    def living(self, now: float) -> tuple[StoredCredential, ...]:
        """The credentials that authenticate at `now`, oldest first."""
        return tuple(each for each in self.credentials if each.lives(now))

    def identity_of(self, shown: Shown) -> WorkloadIdentity | None:
        """The identity by which a peer that has shown this is the application, or `None`."""
        return identity_of(self.identities, shown)

    def to_value(self) -> dict[str, Any]:
        """The JSON form for the store."""
        return {
            "id": self.id,
            "name": self.name,
            "standing_session": self.standing_session,
            "credentials": [each.to_value() for each in self.credentials],
            "labels": list(self.labels),
            "ceiling": self.ceiling.to_value(),
            "disabled": self.disabled,
            "apply": self.apply,
            "identities": [each.to_value() for each in self.identities],
            "jwks": self.jwks,
        }

    @staticmethod
    def from_value(value: Mapping[str, Any]) -> Application:
        """The application that `to_value` wrote."""
        return Application(
            id=value["id"],
            name=value["name"],
            standing_session=value["standing_session"],
            credentials=tuple(map(StoredCredential.from_value, value["credentials"])),
            labels=tuple(value["labels"]),
            ceiling=Ceiling.from_value(value["ceiling"]),
            disabled=value["disabled"],
            apply=value.get("apply", ""),
            identities=tuple(map(WorkloadIdentity.from_value, value["identities"])),
            jwks=value["jwks"],
        )
