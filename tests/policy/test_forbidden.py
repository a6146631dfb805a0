"""What no policy may hold, however it is hidden: calls, recursion, depth; and how far it may go."""

from __future__ import annotations

import threading

import pytest

from caracal_grpc.policy.analysis import MAX_CALL_DEPTH, MAX_NAMES
from caracal_grpc.policy.builtins import ALLOWED_BUILTINS
from caracal_grpc.policy.evaluator import DEFAULT_ENGINE
from caracal_grpc.policy.lexical import _TOKEN
from tests.policy.closing import ClosingEngine
from tests.policy.documents import document
from tests.policy.refusing import DENY, HEAD, answer, refused

FORBIDDEN = [
    'http.send({"method": "get", "url": "http://127.0.0.1"})',
    'net.lookup_ip_addr("localhost")',
    "opa.runtime()",
    'rand.intn("a", 5)',
    "time.now_ns()",
    'uuid.rfc4122("x")',
    'print("x")',
    'trace("x")',
    "numbers.range(1, 1000000000)",
    'net.cidr_expand("10.0.0.0/8")',
    "no.such(1)",
]


@pytest.mark.parametrize("call", FORBIDDEN)
def test_forbidden_call_is_refused(rego: ClosingEngine, call: str) -> None:
    """Network, clock, chance, environment, output and amplifiers are refused at their place."""
    assert refused(rego, {"a.rego": f"{HEAD}x := 1\nresult := {call}"}).startswith("a.rego:4:")


@pytest.mark.parametrize(
    "hidden",
    [
        "x := [y | y := time.now_ns()]",
        "x if { every z in [1] { time.now_ns() > z } }",
        "x := {y: 1 | y := time.now_ns()}",
        "f(y) := time.now_ns() if y",
        "x := 1 if { false } else := time.now_ns()",
        "x if { not time.now_ns() }",
        "default x := 1\nx := 2 if { some y in [time.now_ns()]; y }",
        "import data.time as t\nx := t.now_ns()",
    ],
)
def test_forbidden_call_is_found_anywhere(rego: ClosingEngine, hidden: str) -> None:
    """However deep or dead the code is."""
    assert refused(rego, {"a.rego": HEAD + hidden, "b.rego": DENY}).startswith("a.rego:")


RECURSIVE = [
    "f(x) := f(x)",
    "f(x) := g(x)\ng(x) := f(x)",
    "f(x) := [y | y := g(x)]\ng(x) := data.caracal.authz.f(x)",
    "import data.caracal.authz.f as q\nf(x) := q(x)",
    "import data.caracal.authz.f\nf(x) := f(x)",
    "import data.caracal.authz\nf(x) := authz.f(x)",
    "f(0) := 0\nf(x) := f(x - 1) if x > 0",
    "f(x) := 1 if { x } else := f(x)",
    'f(x) := data.caracal["authz"].f(x)',
]


@pytest.mark.parametrize("source", RECURSIVE)
def test_recursion_is_refused(rego: ClosingEngine, source: str) -> None:
    """A function that can reach itself would overflow the stack and kill the process."""
    refused(rego, {"a.rego": HEAD + source, "b.rego": DENY})


def test_mocking_is_refused(rego: ClosingEngine) -> None:
    """With could replace a function by one that calls it."""
    source = "f(x) := count(x)\nx := f([]) with count as f"
    assert refused(rego, {"a.rego": HEAD + source, "b.rego": DENY}).startswith("a.rego:4:")


DEEP = {
    "arrays": "x := " + "[" * 40 + "1" + "]" * 40,
    "objects": "x := " + '{"a":' * 40 + "1" + "}" * 40,
    "parentheses": "x := " + "(" * 40 + "1" + ")" * 40,
    "calls": "x := " + "count(\n" * 3_000 + "1" + ")" * 3_000,
    "subscripts": "x := " + "y[\n" * 3_000 + "1" + "]\n" * 3_000,
    "sums": "x := " + "1 +\n" * 15_000 + "1",
    "leading": "x := 1" + "\n+ 1" * 15_000,
    "minus": "x := " + "-\n" * 15_000 + "1",
    "dots": "x := input" + "\n.a" * 15_000,
    "chained": "x := input" + "[1]" * 15_000,
    "every": "x if {" + "every y in [1] {\n" * 1_000 + "true" + "}\n" * 1_000 + "}",
    "wide": "x := [" + "[[[[[[[[[[[[1]]]]]]]]]]]]," * 1_000 + "1]",
    "lines": "x := 1\n" * 20_001,
    "line": "x := " + "1" * 5_000,
    "rules": "".join(f"r{n} := r{n + 1}\n" for n in range(3_000)) + "r3000 := 1",
    "functions": "".join(f"f{n}(x) := f{n + 1}(x)\n" for n in range(40)) + "f40(x) := x",
}


@pytest.mark.parametrize("source", DEEP.values(), ids=DEEP)
def test_text_that_would_crash_an_engine_is_refused(rego: ClosingEngine, source: str) -> None:
    """Depth, chains and numbers are bounded before an engine's stack is."""
    refused(rego, {"a.rego": HEAD + source, "b.rego": DENY})


def test_longest_allowed_chain_of_rules_decides() -> None:
    """The default engine holds at the bounds, on the stack of a thread."""
    body = "[[[[" + "1" + " + 1" * 28 + "]]]]"
    names = MAX_NAMES - 1
    rules = [f"r{n} := r{n + 1} if {{ count({body}) == 1 }}" for n in range(names - 1)]
    rules += [f'r{names - 1} := "allow"', 'result := {"decision": r0}']
    outcomes: list[str] = []

    def work() -> None:
        policy = ClosingEngine(DEFAULT_ENGINE).compile({"a.rego": HEAD + "\n".join(rules)}, {})
        outcomes.append(policy.decide(document()).outcome)
        policy.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert outcomes == ["allow"]


def test_deepest_allowed_calls_decide(rego: ClosingEngine) -> None:
    """So it does for functions."""
    functions = [f"f{n}(x) := f{n + 1}(x + 1)" for n in range(MAX_CALL_DEPTH - 1)]
    functions += [f"f{MAX_CALL_DEPTH - 1}(x) := x"]
    policy = answer(
        rego, "\n".join(functions) + '\nresult := {"decision": "allow", "ttl_seconds": f0(1)}'
    )
    assert policy.decide(document()).ttl_seconds == MAX_CALL_DEPTH


def test_ordinary_text_is_no_depth(rego: ClosingEngine) -> None:
    """Brackets and operators in strings and comments do not count."""
    source = 'x := "' + "[" * 99 + '"\ny := `' + "{+-\n" * 99 + "`\n# " + "((" * 99 + "\n"
    assert answer(rego, source + 'result := {"decision": "deny"}').decide(document())


def test_text_without_an_end_is_looked_through_once(rego: ClosingEngine) -> None:
    """It is one token, however many quotes are in it, and no engine takes it."""
    source = HEAD + 'result := "' + '\\",' * 1_000
    assert sum(1 for _ in _TOKEN.finditer(source)) < 20
    assert refused(rego, {"a.rego": source}).startswith("a.rego:3:")


def test_allowed_builtins_exist() -> None:
    """Each allowed name is a function of the default engine, so none fails only when reached."""
    import regorus

    probe = regorus.Engine()
    probe.add_policy("probe", "package probe\n\nknown := opa.runtime().builtins")
    assert set(probe.eval_rule("data.probe.known")) >= ALLOWED_BUILTINS
