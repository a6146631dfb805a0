"""What the authority needs of a policy engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

if TYPE_CHECKING:
    from caracal_grpc.core.decision import Decision
    from caracal_grpc.policy.bundle import Bundle

Severity = Literal["error", "warning"]

MAX_RULES: Final = 200
"""Rules that an explanation names."""
MAX_VALUE: Final = 1_000
"""Characters of the JSON of what a rule came to."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a policy: `place` is a module, with line and column from 1, or a grant."""

    severity: Severity
    place: str
    text: str
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Tested:
    """How one rule `test_…` of a module of tests ended."""

    module: str
    name: str
    passed: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What a policy was found to be. `tests` is empty while it does not compile."""

    findings: tuple[Finding, ...] = ()
    tests: tuple[Tested, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether it may decide: no error, and every test holds."""
        errors = any(each.severity == "error" for each in self.findings)
        return not errors and all(each.passed for each in self.tests)


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """A rule that took part in an answer, and what it came to, in JSON."""

    module: str
    line: int
    name: str
    value_json: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """One answer, and the rules behind it; `failure` says why there is none."""

    decision: Decision | None
    rules: tuple[RuleTrace, ...] = ()
    failure: str = ""


class Policy(Protocol):
    """A policy that is ready to decide. Close it when another takes its place.

    A question is the policy input (`core.decision.PolicyInput`) as JSON text, which is made once,
    asked, and recorded.
    """

    @property
    def version(self) -> str:
        """`sha256:` and 16 hex digits over modules and data; any changed byte changes it."""
        ...

    async def decide(self, question: str) -> Decision:
        """The answer; raises `POLICY_FAILED` for anything but a usable answer in bounded time."""
        ...

    async def explain(self, question: str) -> Explanation:
        """The answer with the rules behind it; one that cannot be used is told, not raised."""
        ...

    async def close(self) -> None:
        """Frees the engine; every later decision fails. Closing twice is closing once."""
        ...


class Engine(Protocol):
    """A way to run Rego. What it runs is bounded in time and memory and cannot stall the caller."""

    async def compile(self, bundle: Bundle) -> Policy:
        """The policy of `bundle`.

        Raises `FIELD_INVALID` with a violation `<module>:<line>:<column>` for each fault, and
        `POLICY_FAILED` when the engine cannot judge it.
        """
        ...

    async def validate(self, bundle: Bundle, tests: Mapping[str, str]) -> Report:
        """What is wrong with `bundle`, and how `tests`, modules by name, end.

        Raises `POLICY_FAILED` when the engine cannot judge it.
        """
        ...

    async def close(self) -> None:
        """Ends what it runs."""
        ...


Data = Mapping[str, Any]
"""Documents by name; `grants` is `data.caracal.grants` inside the modules."""
