"""Which rules took part in an answer.

An engine counts which lines it has come by, on its way to the answer; but it comes by what fails,
too. So each piece that defines a rule is also there under a name of its own, and took part if the
engine came by it and it is defined by itself.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Protocol

from caracal_grpc.policy.analysis import PACKAGE, RESULT, read
from caracal_grpc.policy.grants import is_built_in
from caracal_grpc.policy.port import MAX_RULES, MAX_VALUE, RuleTrace
from caracal_grpc.policy.workbench import compiled

if TYPE_CHECKING:
    from collections.abc import Mapping

    import regorus

    from caracal_grpc.policy.bundle import Bundle
    from caracal_grpc.policy.syntax import Definition, Module

GRANTS: Final = "grants"
"""What the built-in module is called; the line of a rule of it is the number of a grant."""

_UNDEFINED: Final = '"<undefined>"'
_DECIDING: Final = ".".join((*PACKAGE, "deciding"))
_PROBE: Final = "caracal_probe"


class Tracer(Protocol):
    """Says which rules took part in the answer to a question, in the order of modules and lines."""

    def rules(self, question: str) -> tuple[RuleTrace, ...]:
        """The rules; none when the engine fails on the question."""
        ...


def tracer(bundle: Bundle, engine: regorus.Engine) -> Tracer:
    """One for the policy of `bundle`, which `engine` has compiled."""
    return _GrantTracer(engine) if is_built_in(bundle.modules) else _RuleTracer(bundle)


class _GrantTracer:
    """Of the built-in module: the grants that give what was wanted."""

    def __init__(self, engine: regorus.Engine) -> None:
        self._engine = engine.clone()

    def rules(self, question: str) -> tuple[RuleTrace, ...]:
        grants = _value(self._engine, question, _DECIDING) or []
        traces = {
            grant["number"]: RuleTrace(
                GRANTS, grant["number"], f"grants[{grant['number']}]", _shown(grant)
            )
            for grant in grants
        }
        return tuple(traces[number] for number in sorted(traces))[:MAX_RULES]


class _RuleTracer:
    """Of modules that somebody wrote."""

    def __init__(self, bundle: Bundle) -> None:
        self._counting = compiled(bundle)
        self._probing = self._counting.clone()
        self._counting.set_enable_coverage(True)
        self._probes: list[tuple[str, Definition]] = []
        for module in read(self._probing.get_ast_as_json()):
            if module.package == PACKAGE:
                self._probe(module)

    def rules(self, question: str) -> tuple[RuleTrace, ...]:
        covered = self._covered(question)
        found = [
            (each, value)
            for probe, each in self._probes
            if _passed(each, covered)
            and (value := _value(self._probing, question, probe)) is not None
        ]
        stated = {each.path for each, _ in found if each.kind != "Default"}
        traces = [
            RuleTrace(each.place.module, each.place.line, _name(each), _shown(value))
            for each, value in found
            if each.kind != "Default" or each.path not in stated
        ]
        traces.sort(key=lambda trace: (trace.module, trace.line))
        return tuple(traces[:MAX_RULES])

    def _probe(self, module: Module) -> None:
        """Adds each piece of `module` that defines a rule once more, under a name of its own."""
        sources = []
        for each in module.definitions:
            if each.kind == "Func":
                continue
            name = f"{_PROBE}_{len(self._probes)}"
            start, end = each.name_at
            sources.append(each.text[:start] + name.encode() + each.text[end:])
            path = (*PACKAGE, name, *each.path[len(RESULT) :])
            self._probes.append((".".join(path), each))
        head = f"package {'.'.join(PACKAGE[1:])}\n\n{module.imports}\n"
        text = head + "\n".join(source.decode() for source in sources)
        self._probing.add_policy(f"{_PROBE}/{module.name}", text)

    def _covered(self, question: str) -> Mapping[str, frozenset[int]]:
        """The lines that the engine came by, by module."""
        self._counting.clear_coverage_data()
        _value(self._counting, question, ".".join(RESULT))
        report = json.loads(self._counting.get_coverage_report_as_json())
        return {each["path"]: frozenset(each["covered"]) for each in report["files"]}


def _passed(each: Definition, covered: Mapping[str, frozenset[int]]) -> bool:
    lines = covered.get(each.place.module, frozenset())
    return any(line in lines for line in range(each.place.line, each.last_line + 1))


def _name(each: Definition) -> str:
    return ".".join(each.path[len(PACKAGE) :])


def _value(engine: regorus.Engine, question: str, rule: str) -> Any:
    """What a rule comes to; `None` for nothing, an empty set, or a failure."""
    try:
        engine.set_input_json(question)
        text = engine.eval_rule_as_json(rule)
    except RuntimeError:
        return None
    return None if text in {_UNDEFINED, "[]", "{}"} else json.loads(text)


def _shown(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)[:MAX_VALUE]
