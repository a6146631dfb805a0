"""A policy looked through before it may decide: what is wrong with it, and how its tests end.

Everything in here runs what a stranger wrote, so it belongs into a process that may be ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.policy import analysis, review
from caracal_grpc.policy.bundle import Bundle
from caracal_grpc.policy.evaluator import DEFAULT_ENGINE, evaluator
from caracal_grpc.policy.lexical import Fault, require_bounded
from caracal_grpc.policy.port import Finding, Severity, Tested
from caracal_grpc.policy.syntax import Module
from caracal_grpc.policy.workbench import Workbench, guarded, require_sound

MAX_TESTS: Final = 500
_TEST: Final = "test_"


@dataclass(frozen=True, slots=True)
class Test:
    """A rule of a module of tests."""

    module: str
    name: str
    rule: str


class Trial:
    """A `bundle` and its `tests`, modules by name, as the engine `name` takes them."""

    def __init__(self, name: str, bundle: Bundle, tests: Mapping[str, str]) -> None:
        self.tests: tuple[Test, ...] = ()
        self._bundle = bundle
        self._sources = dict(tests)
        self._bench: Workbench | None = None
        self.findings = tuple(self._looked_through(name))

    def run(self, number: int) -> Tested:
        """How the test of that number, from 0, ends."""
        test, bench = self.tests[number], self._bench
        if bench is None:
            raise LookupError(number)
        try:
            bench.engine.set_input_json("{}")
            value = bench.engine.eval_rule(test.rule)
        except RuntimeError as exc:
            first = str(exc).partition("\n")[0]
            return Tested(test.module, test.name, passed=False, detail=f"fails: {first[:200]}")
        detail = "" if value is True else _detail(value)
        return Tested(test.module, test.name, passed=value is True, detail=detail)

    def _looked_through(self, name: str) -> list[Finding]:
        errors = self._parsed()
        if errors:
            return errors
        policy, tests = self._modules()
        try:
            require_sound(self._bundle)
            if name != DEFAULT_ENGINE:
                evaluator(name, self._bundle).close()
        except CaracalError as refusal:
            errors = _findings(refusal)
        faults = _noted("error", analysis.faults_of_tests(policy, tests))
        errors += [each for each in faults if each not in errors]
        if not errors:
            errors += self._compiled(tests)
        return [*errors, *_noted("warning", review.doubts(policy, tests))]

    def _parsed(self) -> list[Finding]:
        """What keeps modules from being read, of each the first."""
        findings = []
        for name, source in (*self._bundle.modules.items(), *self._sources.items()):
            try:
                require_bounded(name, source)
                _parse({name: source})
            except CaracalError as refusal:
                findings += _findings(refusal)
        return findings

    def _modules(self) -> tuple[list[Module], list[Module]]:
        """The modules of the policy, and those of its tests."""
        with Workbench() as bench:
            bench.add({**self._bundle.modules, **self._sources})
            modules = analysis.read(bench.engine.get_ast_as_json())
        policy = [each for each in modules if each.name in self._bundle.modules]
        return policy, [each for each in modules if each.name in self._sources]

    def _compiled(self, tests: Iterable[Module]) -> list[Finding]:
        """What keeps the whole from being compiled; nothing, and the tests may run."""
        bench = Workbench()
        whole = {**self._bundle.modules, **self._sources}
        try:
            guarded(whole, lambda: bench.load(self._bundle, self._sources))
        except CaracalError as refusal:
            return _findings(refusal)
        self._bench, self.tests = bench, tuple(_tests(tests))
        return []


def _parse(modules: Mapping[str, str]) -> None:
    with Workbench() as bench:
        guarded(modules, lambda: bench.add(modules))


def _tests(modules: Iterable[Module]) -> list[Test]:
    """Each rule `test_…` once, in the order of modules and lines."""
    found: dict[str, Test] = {}
    for module in modules:
        for each in module.definitions:
            if each.path[-1].startswith(_TEST) and each.kind != "Func":
                rule = ".".join(each.path)
                found.setdefault(rule, Test(module.name, each.path[-1], rule))
    return list(found.values())[:MAX_TESTS]


def _findings(refusal: CaracalError) -> list[Finding]:
    if refusal.reason is not Reason.FIELD_INVALID:
        raise refusal
    return [_finding(each.field, each.description) for each in refusal.violations]


def _finding(field: str, text: str) -> Finding:
    place, *numbers = field.rsplit(":", 2)
    if len(numbers) < 2:
        return Finding("error", field, text)
    return Finding("error", place, text, int(numbers[0]), int(numbers[1]))


def _noted(severity: Severity, faults: Iterable[Fault]) -> list[Finding]:
    return [
        Finding(severity, each.place.module, each.text, each.place.line, each.place.column)
        for each in faults
    ]


def _detail(value: object) -> str:
    return "is undefined: not all of it holds" if value is None else f"is {value!r:.200}, not true"
