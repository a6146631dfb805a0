"""The engines by the name that a setting gives them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from caracal_grpc.policy.embedded import EmbeddedEngine
from caracal_grpc.policy.evaluator import DEFAULT_ENGINE, require_installed
from caracal_grpc.policy.sandbox.engine import SandboxEngine
from caracal_grpc.policy.sandbox.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from caracal_grpc.policy.bundle import Bundle
    from caracal_grpc.policy.port import Engine, Policy, Report


class ByAuthor:
    """What is our own and light in process, which is quick; all else where it can do no harm."""

    def __init__(self, ours: Engine, theirs: Engine) -> None:
        self._ours = ours
        self._theirs = theirs

    async def compile(self, bundle: Bundle) -> Policy:
        """The policy of `bundle`; raises `FIELD_INVALID`, `POLICY_FAILED`."""
        return await self._engine(bundle).compile(bundle)

    async def validate(self, bundle: Bundle, tests: Mapping[str, str]) -> Report:
        """What is wrong with `bundle`, and how `tests` end; raises `POLICY_FAILED`."""
        engine = self._theirs if tests else self._engine(bundle)
        return await engine.validate(bundle, tests)

    async def close(self) -> None:
        """Ends what runs."""
        await self._ours.close()
        await self._theirs.close()

    def _engine(self, bundle: Bundle) -> Engine:
        return self._ours if bundle.light else self._theirs


def engine(
    name: str = DEFAULT_ENGINE,
    limits: Limits = DEFAULT_LIMITS,
    monotonic: Callable[[], float] = time.monotonic,
) -> Engine:
    """The engine `name`; raises `FIELD_INVALID` for an unknown one and for one not installed.

    `limits` are those of policies that others wrote, and `monotonic` tells seconds.
    """
    require_installed(name)
    return ByAuthor(EmbeddedEngine(name), SandboxEngine(name, limits, monotonic))
