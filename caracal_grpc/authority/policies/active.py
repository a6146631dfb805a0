"""Which version decides in a zone, which is asked beside it, and what did before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import State
from caracal_grpc.store.port import Expect, Put

_REMEMBERED: Final = 50
"""Activations, and versions to go back to."""


@dataclass(frozen=True, slots=True)
class Activation:
    """That `version` was activated by the application `by`, empty for the authority itself."""

    version: str
    at: float
    by: str


@dataclass(frozen=True, slots=True)
class ActivePolicy:
    """What a zone's one record of its policy says; all of it is empty for a zone without policy.

    `activations` are all that happened, the newest first. `before` are the versions to go back to:
    an activation puts the version that decided in front, a rollback takes it away again, so that
    two rollbacks go back two versions.
    """

    active: str = ""
    shadow: str = ""
    activations: tuple[Activation, ...] = ()
    before: tuple[str, ...] = ()

    def activated(self, version: str, at: float, by: str) -> ActivePolicy:
        """The same after `version` was activated."""
        before = (self.active, *self.before) if self.active else self.before
        return self._moved(Activation(version, at, by), before)

    def rolled_back(self, version: str, at: float, by: str) -> ActivePolicy:
        """The same after going back to `version`, which is among those before."""
        rest = self.before[self.before.index(version) + 1 :]
        return self._moved(Activation(version, at, by), rest)

    def removed(self) -> ActivePolicy:
        """The same once nothing decides any more; a rollback brings back what did."""
        return replace(self, active="", shadow="", before=(self.active, *self.before)[:_REMEMBERED])

    def put(self, zone: str) -> Put:
        """The write that makes it so."""
        return Put(places.policy_place(zone), asdict(self))

    @staticmethod
    def from_value(value: Mapping[str, Any]) -> ActivePolicy:
        """What `put` wrote."""
        return ActivePolicy(
            value["active"],
            value["shadow"],
            tuple(Activation(**each) for each in value["activations"]),
            tuple(value["before"]),
        )

    def _moved(self, activation: Activation, before: tuple[str, ...]) -> ActivePolicy:
        shadow = "" if self.shadow == activation.version else self.shadow
        return replace(
            self,
            active=activation.version,
            shadow=shadow,
            activations=(activation, *self.activations)[:_REMEMBERED],
            before=before[:_REMEMBERED],
        )


def active_policy(state: State, zone: str) -> ActivePolicy:
    """What decides in the zone."""
    record = state.record(places.policy_place(zone))
    return ActivePolicy.from_value(record.value) if record else ActivePolicy()


def unmoved(state: State, zone: str) -> Expect:
    """That it is still as `active_policy` says, for a commit that relies on it."""
    place = places.policy_place(zone)
    return Expect(place, state.revision_of(place))
