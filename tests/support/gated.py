"""A policy engine that answers when a test says so, and counts what it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from caracal_grpc.core.decision import Decision
from caracal_grpc.policy.bundle import Bundle
from caracal_grpc.policy.engines import engine
from caracal_grpc.policy.port import Engine, Explanation, Policy, Report


@dataclass
class Gate:
    """Open at first; while it is shut whoever comes waits, and `came` counts them."""

    came: int = 0
    _open: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._open.set()

    def shut(self) -> None:
        """From now on all wait."""
        self._open.clear()

    def open(self) -> None:
        """Lets all pass."""
        self._open.set()

    async def passed(self) -> None:
        """Returns when the gate is open."""
        self.came += 1
        await self._open.wait()

    async def reached(self, times: int) -> None:
        """Returns when so many have come."""
        async with asyncio.timeout(20):
            while self.came < times:
                await asyncio.sleep(0.005)


class GatedPolicy:
    """A policy whose answers, ready or not, wait for the gate."""

    def __init__(self, inner: Policy, gated: GatedEngine) -> None:
        self._inner = inner
        self._gated = gated
        self.version = inner.version

    async def decide(self, question: str) -> Decision:
        """What the policy answers to the question as it was asked, however late."""
        decision = await self._inner.decide(question)
        await self._gated.asking.passed()
        return decision

    async def explain(self, question: str) -> Explanation:
        """The answer with the rules behind it."""
        return await self._inner.explain(question)

    async def close(self) -> None:
        """Closes the policy."""
        self._gated.closed.append(self.version)
        await self._inner.close()


class GatedEngine:
    """The engine that decides by default, with a gate before compiling and one behind asking."""

    def __init__(self) -> None:
        self._inner: Engine = engine()
        self.compiling, self.asking = Gate(), Gate()
        self.closed: list[str] = []

    async def compile(self, bundle: Bundle) -> Policy:
        """The policy of `bundle`."""
        await self.compiling.passed()
        return GatedPolicy(await self._inner.compile(bundle), self)

    async def validate(self, bundle: Bundle, tests: Mapping[str, str]) -> Report:
        """What is wrong with `bundle`."""
        return await self._inner.validate(bundle, tests)

    async def close(self) -> None:
        """Ends what runs."""
        await self._inner.close()
