"""An engine in this process that closes what it compiled, as the authority does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from caracal_grpc.core.decision import Decision, PolicyInput
from caracal_grpc.policy.bundle import Bundle
from caracal_grpc.policy.evaluator import Evaluator, evaluator


class Compiled:
    """What an engine made of a bundle, asked documents."""

    def __init__(self, name: str, bundle: Bundle) -> None:
        self.version = bundle.version
        self.evaluator: Evaluator = evaluator(name, bundle)

    def decide(self, document: PolicyInput) -> Decision:
        """The answer to `document`."""
        return self.evaluator.decide(json.dumps(document))

    def close(self) -> None:
        """Frees the engine."""
        self.evaluator.close()


class ClosingEngine:
    """The engine `name`, with a `close` for all of its policies."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._compiled: list[Compiled] = []

    def compile(self, modules: Mapping[str, str], data: Mapping[str, Any]) -> Compiled:
        """What the engine compiles."""
        self._compiled.append(Compiled(self.name, Bundle.of(modules, data)))
        return self._compiled[-1]

    def close(self) -> None:
        """Closes every policy."""
        while self._compiled:
            self._compiled.pop().close()
