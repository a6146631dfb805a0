"""The active policy of each zone, compiled once a version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.policy.grants import grants_data, grants_modules
from caracal_grpc.policy.port import Engine, Policy


class Policies:
    """Compiles and remembers the policy of each zone; no active policy means that all is denied."""

    def __init__(self, state: State, engine: Engine) -> None:
        self._state = state
        self._engine = engine
        self._compiled: dict[str, tuple[int, Policy]] = {}

    def check(self, value: Mapping[str, Any]) -> str:
        """The version that a declared policy would have; raises `FIELD_INVALID` with the place."""
        policy = self._compile(value)
        policy.close()
        return policy.version

    def active(self, zone: str) -> Policy:
        """The zone's policy; raises `NO_ACTIVE_POLICY`, or `POLICY_FAILED` if it cannot compile."""
        record = self._state.record(places.policy_place(zone))
        if record is None:
            raise CaracalError(
                Reason.NO_ACTIVE_POLICY, "the zone has no active policy, so everything is denied"
            )
        known = self._compiled.get(zone)
        if known is None or known[0] != record.revision:
            replaced = known
            known = (record.revision, self._compile_stored(record.value))
            self._compiled[zone] = known
            if replaced:
                replaced[1].close()
        return known[1]

    def close(self) -> None:
        """Lets go of every engine, on the thread that compiled it."""
        while self._compiled:
            self._compiled.popitem()[1][1].close()

    def _compile(self, value: Mapping[str, Any]) -> Policy:
        modules = value["modules"] or grants_modules()
        return self._engine.compile(modules, grants_data(value["grants"]))

    def _compile_stored(self, value: Mapping[str, Any]) -> Policy:
        try:
            return self._compile(value)
        except CaracalError as error:
            raise CaracalError(
                Reason.POLICY_FAILED, "the active policy does not compile; apply a corrected one"
            ) from error
