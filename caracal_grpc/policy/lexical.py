"""Bounds on the text of a module, checked before any engine reads it.

Measured on regorus 0.13: brackets cost twice as much for each level around them (16 levels take
two seconds), and long chains of operators, references or calls overflow the native stack, which
kills the process. No engine bounds either, so this does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from caracal_grpc.core.errors import CaracalError, FieldViolation
from caracal_grpc.core.reason import Reason
from caracal_grpc.policy.syntax import Place

MAX_NESTING: Final = 16
"""Brackets within brackets."""
MAX_CHAIN: Final = 32
"""Operators, references and subscripts in one expression."""
MAX_BRACKET_WEIGHT: Final = 16_384
"""The sum of 2 to the power of its depth over all arrays, objects and sets of a module."""
MAX_FAULTS: Final = 100
"""Faults in one refusal."""

# A text without an end is one token, and for the engine to refuse: with each of its quotes looked
# for anew a module would take minutes.
_TOKEN: Final = re.compile(
    r"(?P<space>[ \t\r\n]+|\#[^\n]*)"
    r'|(?P<operand>"(?:[^"\\\n]|\\.)*+"?|`[^`]*+`?|\w+)'
    r"|(?P<open>[(\[{])|(?P<close>[)\]}])"
    r"|(?P<separator>:=|,|;)"
    r"|(?P<operator>.)",
    re.DOTALL,
)
_BODY_WORDS: Final = frozenset({"if", "else"})
_SEPARATING_WORDS: Final = frozenset(
    {"if", "else", "in", "contains", "some", "every", "not", "with"}
)


@dataclass(slots=True)
class _Scan:
    """How deep and how long the expression at hand is.

    `chains` counts the operators of the expression in each open bracket, `terms` tells which of
    the brackets are arrays, objects or sets: the body of a rule costs an engine nothing.
    """

    chains: list[int] = field(default_factory=lambda: [0])
    terms: list[bool] = field(default_factory=list)
    weight: int = 0
    after_operand: bool = False
    after_body_word: bool = False

    def open(self, bracket: str) -> None:
        body = bracket == "{" and (self.after_operand or self.after_body_word)
        self.terms.append(bracket != "(" and not body)
        if self.terms[-1]:
            self.weight += 1 << sum(self.terms)
        if self.after_operand and bracket != "{":
            self.chains[-1] += 1
        self.chains.append(0)
        self.after_operand = self.after_body_word = False

    def close(self) -> None:
        if self.terms:
            self.chains.pop()
            self.terms.pop()
        self.after_operand, self.after_body_word = True, False

    def operand(self, text: str) -> None:
        word = text in _SEPARATING_WORDS
        if self.after_operand or word:
            self.chains[-1] = 0
        self.after_operand, self.after_body_word = not word, text in _BODY_WORDS

    def operator(self) -> None:
        self.chains[-1] += 1
        self.after_operand = self.after_body_word = False

    def separator(self) -> None:
        self.chains[-1] = 0
        self.after_operand = self.after_body_word = False

    def fault(self) -> str | None:
        if len(self.chains) > MAX_NESTING + 1:
            return f"has more than {MAX_NESTING} brackets within brackets; name the inner parts"
        if self.chains[-1] > MAX_CHAIN:
            return f"has an expression of more than {MAX_CHAIN} operators; split it"
        if self.weight > MAX_BRACKET_WEIGHT:
            return "has too many nested brackets; move constants into data"
        return None


def require_bounded(name: str, source: str) -> None:
    """Raises `FIELD_INVALID`, naming line and column, when module `name` exceeds a bound above."""
    scan = _Scan()
    for match in _TOKEN.finditer(source):
        _take(scan, match)
        fault = scan.fault()
        if fault is not None:
            raise module_invalid(name, *position(source, match.start()), fault)


def _take(scan: _Scan, match: re.Match[str]) -> None:
    kind, text = match.lastgroup, match[0]
    if kind == "open":
        scan.open(text)
    elif kind == "close":
        scan.close()
    elif kind == "operand":
        scan.operand(text)
    elif kind == "separator":
        scan.separator()
    elif kind == "operator":
        scan.operator()


def position(source: str, offset: int) -> tuple[int, int]:
    """The line and the column of `offset` in `source`, both counted from 1."""
    start = source.rfind("\n", 0, offset) + 1
    return source.count("\n", 0, offset) + 1, offset - start + 1


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at a place in a module."""

    place: Place
    text: str


def module_invalid(name: str, line: int, column: int, what: str) -> CaracalError:
    """The refusal of a module (`FIELD_INVALID`) at a place: `what` says what is wrong there."""
    return modules_invalid([Fault(Place(name, line, column), what)])


def modules_invalid(faults: Sequence[Fault]) -> CaracalError:
    """The refusal of modules for all of `faults`, of which the first is the one in the text."""
    shown, first = faults[:MAX_FAULTS], faults[0]
    violations = [
        FieldViolation(f"{each.place.module}:{each.place.line}:{each.place.column}", each.text)
        for each in shown
    ]
    at = f"{first.place.module}, line {first.place.line}, column {first.place.column}"
    text = f"the policy does not compile: {at}: {first.text}"
    return CaracalError(Reason.FIELD_INVALID, text, violations=violations)
