"""Two engines by different authors over a corpus: the same decision, or no decision from either.

Where they are known to differ, it says so here: which value each gives, and which of them the
language means. What differs on a built-in that policies may call has been weighed: it stays when
the default engine is right or gives no answer, and when policies need it. Not here, since they end
the process that asks the second engine (regopy 1.5.2): `time.weekday` and any time in a time zone,
where gRPC is loaded, `replace` of an empty text, and `regex.split` by an empty pattern. So that
engine decides in a process of its own only.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings

from caracal_grpc.core.decision import Decision
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.policy.builtins import ALLOWED_BUILTINS
from tests.policy.closing import ClosingEngine, Compiled
from tests.policy.documents import document
from tests.policy.questions import CHARGE, FEED, questions
from tests.support.refusals import refused

CORPUS: Final = sorted((Path(__file__).parent / "corpus").glob("*.rego"))
DATA: Final = {
    "trusted": ["shop", "web"],
    "forbidden": [FEED],
    "limit": 100,
    "holidays": [1, 8],
    "table": {"shop": [CHARGE], "web": []},
}


def compiled(sources: dict[str, str]) -> Iterator[tuple[Compiled, Compiled]]:
    """The default engine's and the second one's."""
    engines = ClosingEngine("regorus"), ClosingEngine("regopy")
    first, second = (engine.compile(sources, DATA) for engine in engines)
    yield first, second
    for engine in engines:
        engine.close()


@pytest.fixture(scope="module", params=CORPUS, ids=lambda path: path.stem)
def both(request: pytest.FixtureRequest) -> Iterator[tuple[Compiled, Compiled]]:
    """One policy of the corpus in both engines."""
    yield from compiled({request.param.name: request.param.read_text()})


def outcome(policy: Compiled, asked: dict[str, Any]) -> Decision | Reason:
    """The decision, or why there is none."""
    try:
        return policy.decide(asked)
    except CaracalError as refusal:
        return refusal.reason


@given(asked=questions())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_engines_agree(both: tuple[Compiled, Compiled], asked: dict[str, Any]) -> None:
    """The same decision, down to its reasons, or POLICY_FAILED from both."""
    first, second = (outcome(policy, asked) for policy in both)
    assert first == second


def test_corpus_is_not_decided_by_nobody(both: tuple[Compiled, Compiled]) -> None:
    """Each policy decides something: two engines that fail agree about nothing."""
    decided = set()

    @given(asked=questions())
    @settings(max_examples=40, deadline=None, derandomize=True)
    def ask(asked: dict[str, Any]) -> None:
        decided.add(type(outcome(both[0], asked)))

    ask()
    assert Decision in decided


NONE: Final = None
"""No answer."""

DIFFERENCES: Final[dict[str, tuple[str | None, str | None]]] = {
    # The second engine compares and sorts what are no texts by their text.
    "max([60, 300, 7])": ("300", "7"),
    "min([60, 300, 7])": ("7", "300"),
    "sort([300, 60, 7])": ("[7,60,300]", "[300,60,7]"),
    'concat(",", {"b", "a"})': ('"a,b"', '"b,a"'),
    '1 < "a"': ("true", "false"),
    "[1] < [1, 2]": ("true", "false"),
    # It does not know these built-ins, or not all that may be given to them.
    'net.cidr_contains("10.0.0.0/8", "10.1.2.3")': ("true", NONE),
    'net.cidr_is_valid("10.0.0.0/8")': ("true", NONE),
    'time.parse_rfc3339_ns("2024-02-29T12:00:00Z")': ("1709208000000000000", NONE),
    'regex.match("(?i)A", "a")': ("true", NONE),
    # It is wrong.
    "format_int(10, 2)": ('"1010"', '"10"'),
    'lower("\\u00c0")': ('"\u00e0"', '"\\u00c0"'),
    'base64.is_valid("aGk")': ("false", "true"),
    'object.union({"a": {"b": 1}}, {"a": {"c": 2}})': ('{"a":{"b":1,"c":2}}', '{"a":{"c":2}}'),
    'semver.compare("1.0.0-alpha", "1.0.0")': ("-1", "1"),
    "time.diff(1700000000000000000, 1600000000000000000)": ("[3,2,1,9,46,40]", "[3,2,1,12,48,28]"),
    'urlquery.encode("a b")': ('"a+b"', '"a%20b"'),
    # It takes what is no number of the language.
    'to_number("0x10")': (NONE, "16"),
    'to_number("1_0")': (NONE, "1"),
    # The default engine takes more for a letter or a digit than the language, and than a remote
    # server does: write [0-9A-Za-z_] for these.
    'regex.match("^\\\\w$", "\\u00e9")': ("true", "false"),
    'regex.match("^\\\\d$", "\\u0661")': ("true", "false"),
    # It formats less: %v writes a truth value, and what it does not know is no answer.
    'sprintf("%t", [true])': ('""', '"true"'),
    'sprintf("%v", [true])': ('"true"', '"true"'),
    'sprintf("%-3d", [3])': (NONE, '"3  "'),
    'sprintf("%s", ["a", "b"])': (NONE, '"a"'),
    # The second engine loses count.
    "21739 % 7": ("4", "3"),
}
"""Expressions with what the default engine and the second one make of them, as JSON."""


@pytest.mark.parametrize("expression", DIFFERENCES)
def test_known_difference(expression: str) -> None:
    """Each engine gives what is written here; when one comes to its senses, this says so."""
    source = (
        "package caracal.authz\n\nresult := "
        f'{{"decision": "deny", "reasons": [json.marshal({expression})]}}\n'
    )
    for policies in compiled({"one.rego": source}):
        found = [outcome(policy, document()) for policy in policies]
    told = tuple(each.reasons[0] if isinstance(each, Decision) else NONE for each in found)
    assert told == DIFFERENCES[expression]


WITHDRAWN: Final = {
    "strings.count": 'strings.count("aaaa", "aa")',
    "time.add_date": "time.add_date(1706659200000000000, 0, 1, 0)",
}
"""Built-ins that no policy may call, since the default engine is wrong about them. It counts what
overlaps, and an empty text, which a caller may send, is a panic that costs a compilation each time;
and the month after 31 January ends for it on the last day of February, for the language in March.
"""


@pytest.mark.parametrize("name", WITHDRAWN)
def test_wrong_builtin_is_refused(name: str) -> None:
    """FIELD_INVALID at compilation, rather than a decision that another engine would not make."""
    assert name not in ALLOWED_BUILTINS
    source = f'package caracal.authz\n\nresult := {{"decision": "deny"}} if {WITHDRAWN[name]} > 0\n'
    with refused(Reason.FIELD_INVALID):
        next(compiled({"one.rego": source}))
