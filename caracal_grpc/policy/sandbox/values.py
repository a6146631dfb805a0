"""What a child finds, as JSON and back; what comes back is read as strictly as from a stranger."""

from __future__ import annotations

from typing import Any, Final

from caracal_grpc.core.decision import parse_result
from caracal_grpc.policy.port import (
    MAX_RULES,
    MAX_VALUE,
    Explanation,
    Finding,
    RuleTrace,
    Severity,
    Tested,
)

MAX_FINDINGS: Final = 200
_MAX_TEXT: Final = 512


def finding_value(finding: Finding) -> list[Any]:
    """A finding, to be read by `finding_from`."""
    return [finding.severity, finding.place, finding.text, finding.line, finding.column]


def finding_from(value: Any) -> Finding:
    """The finding that `finding_value` wrote."""
    severity, place, text, line, column = value
    grave: Severity = "warning" if severity == "warning" else "error"
    return Finding(grave, _text(place), _text(text), int(line), int(column))


def tested_value(tested: Tested) -> list[Any]:
    """How a test ended, to be read by `tested_from`."""
    return [tested.module, tested.name, tested.passed, tested.detail]


def tested_from(value: Any) -> Tested:
    """How the test ended that `tested_value` wrote."""
    module, name, passed, detail = value
    return Tested(_text(module), _text(name), passed is True, _text(detail))


def explanation_value(explanation: Explanation) -> dict[str, Any]:
    """An explanation, to be read by `explanation_from`."""
    decision = explanation.decision
    return {
        "decision": decision.to_value() if decision else None,
        "failure": explanation.failure,
        "rules": [
            [each.module, each.line, each.name, each.value_json]
            for each in explanation.rules[:MAX_RULES]
        ],
    }


def explanation_from(value: Any) -> Explanation:
    """The explanation that `explanation_value` wrote; raises `POLICY_FAILED` for a bad decision."""
    decision, rules = value["decision"], value["rules"][:MAX_RULES]
    return Explanation(
        parse_result(decision) if decision is not None else None,
        tuple(
            RuleTrace(_text(module), int(line), _text(name), _text(shown, MAX_VALUE))
            for module, line, name, shown in rules
        ),
        _text(value["failure"]),
    )


def _text(value: object, most: int = _MAX_TEXT) -> str:
    return "".join(char if char.isprintable() else " " for char in str(value)[:most])
