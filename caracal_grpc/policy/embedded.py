"""Policies of our own modules, decided in process: only what is light (`weight`), so bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.policy.evaluator import Evaluator, evaluator_in_turns
from caracal_grpc.policy.port import Explanation, Finding, Report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from caracal_grpc.core.decision import Decision
    from caracal_grpc.policy.bundle import Bundle


class EmbeddedPolicy:
    """An evaluator as a `policy.port.Policy`: answers come without a pause."""

    def __init__(self, version: str, inner: Evaluator) -> None:
        self.version = version
        self._inner = inner

    async def decide(self, question: str) -> Decision:
        """The answer to `question`; raises `POLICY_FAILED`."""
        return self._inner.decide(question)

    async def explain(self, question: str) -> Explanation:
        """The answer with the rules behind it."""
        return self._inner.explain(question)

    async def close(self) -> None:
        """Frees the engine."""
        self._inner.close()


class EmbeddedEngine:
    """The engine `name` in this process, for modules that nobody else wrote."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def compile(self, bundle: Bundle) -> EmbeddedPolicy:
        """The policy of `bundle`; raises `FIELD_INVALID`."""
        return EmbeddedPolicy(bundle.version, await evaluator_in_turns(self._name, bundle))

    async def validate(self, bundle: Bundle, tests: Mapping[str, str]) -> Report:
        """What is wrong with `bundle`; raises `POLICY_FAILED` for `tests`, which others write."""
        if tests:
            raise CaracalError(Reason.POLICY_FAILED, "tests are not run in process")
        try:
            await (await self.compile(bundle)).close()
        except CaracalError as refusal:
            if refusal.reason is not Reason.FIELD_INVALID:
                raise
            found = [Finding("error", each.field, each.description) for each in refusal.violations]
            return Report(tuple(found))
        return Report()

    async def close(self) -> None:
        """Nothing runs on its own."""
