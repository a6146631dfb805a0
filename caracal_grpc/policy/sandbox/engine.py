"""The engine for policies that others wrote."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from caracal_grpc.core.decision import Decision, parse_result
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.policy.port import Explanation, Report, Tested
from caracal_grpc.policy.sandbox import frames
from caracal_grpc.policy.sandbox.cell import Cell
from caracal_grpc.policy.sandbox.ending import Lost
from caracal_grpc.policy.sandbox.limits import Limits
from caracal_grpc.policy.sandbox.pool import Pool
from caracal_grpc.policy.sandbox.process import Child
from caracal_grpc.policy.sandbox.values import (
    MAX_FINDINGS,
    explanation_from,
    finding_from,
    tested_from,
)

if TYPE_CHECKING:
    from caracal_grpc.policy.bundle import Bundle

_UNREADABLE: Final = (LookupError, TypeError, ValueError)
_TESTS: Final = 4
"""How many times the time for one piece of work all tests of a policy may take together."""


class SandboxedPolicy:
    """A policy in a child (`policy.port.Policy`)."""

    def __init__(self, version: str, cell: Cell, limits: Limits) -> None:
        self.version = version
        self._cell = cell
        self._limits = limits

    async def decide(self, question: str) -> Decision:
        """The answer to `question`; raises `POLICY_FAILED`."""
        answer = await self._cell.ask(frames.DECIDE, _encoded(question), self._limits.answer)
        return parse_result(answer)

    async def explain(self, question: str) -> Explanation:
        """The answer with the rules behind it."""
        try:
            body = _encoded(question)
            return explanation_from(await self._cell.ask(frames.EXPLAIN, body, self._limits.work))
        except CaracalError as failure:
            return Explanation(None, failure=failure.message)
        except _UNREADABLE:
            return Explanation(None, failure="the policy engine answers in an unknown form")

    async def close(self) -> None:
        """Ends the child."""
        await self._cell.close()


class SandboxEngine:
    """The engine `name` in children of this process (`policy.port.Engine`)."""

    def __init__(self, name: str, limits: Limits, monotonic: Callable[[], float]) -> None:
        self._name = name
        self._limits = limits
        self._pool = Pool(name, limits, monotonic)
        self._cells: WeakSet[Cell] = WeakSet()

    async def compile(self, bundle: Bundle) -> SandboxedPolicy:
        """The policy of `bundle`; raises `FIELD_INVALID`, `POLICY_FAILED`."""
        cell = Cell(self._pool, bundle.version, _content(self._name, bundle, {}))
        self._cells.add(cell)
        try:
            await cell.ready()
        except BaseException:
            await cell.close()
            raise
        return SandboxedPolicy(bundle.version, cell, self._limits)

    async def validate(self, bundle: Bundle, tests: Mapping[str, str]) -> Report:
        """What is wrong with `bundle`, and how `tests` end; raises `POLICY_FAILED`."""
        async with self._pool.trial() as child:
            try:
                body = _content(self._name, bundle, tests)
                found = await child.ask(frames.VALIDATE, body, self._limits.work)
                findings = tuple(finding_from(each) for each in found["findings"][:MAX_FINDINGS])
                named = [(str(module), str(name)) for module, name in found["tests"]]
                return Report(findings, await self._tested(child, named))
            except (Lost, *_UNREADABLE) as exc:
                what = str(exc) if isinstance(exc, Lost) else "confuses the policy engine"
                text = f"the policy {what} while it is looked through; make it simpler"
                raise CaracalError(Reason.POLICY_FAILED, text) from exc

    async def close(self) -> None:
        """Ends every child."""
        for cell in list(self._cells):
            await cell.close()
        await self._pool.close()

    async def _tested(self, child: Child, tests: Sequence[tuple[str, str]]) -> tuple[Tested, ...]:
        """How the tests end, one by one; what is not run does not hold."""
        ended: list[Tested] = []
        until, why = _now() + _TESTS * self._limits.work, ""
        for number, (module, name) in enumerate(tests):
            if not why and _now() > until:
                why = "was not run: the tests before it took too long"
            if why:
                ended.append(Tested(module, name, passed=False, detail=why))
                continue
            try:
                body = str(number).encode()
                answer = await child.ask(frames.TEST, body, self._limits.work)
                ended.append(tested_from(answer))
            except Lost as lost:
                ended.append(Tested(module, name, passed=False, detail=str(lost)))
                why = f"was not run: {name} {lost}"
        return tuple(ended)


def _content(engine: str, bundle: Bundle, tests: Mapping[str, str]) -> bytes:
    """A policy as a child reads it: a line of JSON, and one for each piece of the data."""
    head = {
        "engine": engine,
        "modules": dict(bundle.modules),
        "data": [name for name, _ in bundle.pieces],
        "version": bundle.version,
        "tests": dict(tests),
    }
    return "\n".join([json.dumps(head), *(text for _, text in bundle.pieces)]).encode()


def _encoded(question: str) -> bytes:
    try:
        return question.encode()
    except UnicodeEncodeError as exc:
        raise CaracalError(Reason.POLICY_FAILED, "the question is not text in utf-8") from exc


def _now() -> float:
    return asyncio.get_running_loop().time()
