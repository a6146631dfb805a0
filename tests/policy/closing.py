"""An engine that closes what it compiled, as the authority does with a policy that it replaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from caracal_grpc.policy.engines import engine
from caracal_grpc.policy.port import Policy


class ClosingEngine:
    """The engine `name`, with a `close` for all of its policies."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._engine = engine(name)
        self._policies: list[Policy] = []

    def compile(self, modules: Mapping[str, str], data: Mapping[str, Any]) -> Policy:
        """What the engine compiles."""
        self._policies.append(self._engine.compile(modules, data))
        return self._policies[-1]

    def close(self) -> None:
        """Closes every policy."""
        while self._policies:
            self._policies.pop().close()
