"""What compiles, what is refused, and where the refusal points."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.policy.bundle import MAX_DATA_BYTES, MAX_MODULE_BYTES, MAX_MODULES
from caracal_grpc.policy.engines import engine
from caracal_grpc.policy.evaluator import DEFAULT_ENGINE, ENGINES
from caracal_grpc.policy.grants import grants_data, grants_modules
from caracal_grpc.policy.thread import OwnThread
from tests.policy.closing import ClosingEngine, Compiled
from tests.policy.documents import document, grant
from tests.policy.refusing import DENY, HEAD, answer, refused


def failure(policy: Compiled, **changes: Any) -> None:
    """Asserts that `policy` fails on the document instead of deciding."""
    with pytest.raises(CaracalError) as caught:
        policy.decide(document(**changes))
    assert caught.value.reason is Reason.POLICY_FAILED
    assert "backtrace" not in (str(caught.value) + str(caught.value.__cause__)).lower()


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ('result := {"decision": }\n', "b.rego:3:24"),
        ("result := \n", "b.rego:4:1"),
        ('result := {"decision": foo}\n', "b.rego:3:24"),
        ('result := {"decision": "deny\n', "b.rego:3:24"),
        ("result := { } if {\n  foo bar }\n", "b.rego:4:7"),
    ],
)
def test_fault_is_placed(rego: ClosingEngine, source: str, place: str) -> None:
    """A refusal names module, line and column, and holds no backtrace."""
    field = refused(rego, {"a.rego": DENY, "b.rego": HEAD + source})
    assert field.rsplit(":", 1)[0] == place.rsplit(":", 1)[0]


def test_version_changes_with_any_byte(rego: ClosingEngine) -> None:
    """Modules, their names and the data are all in the version, in whatever order they come."""
    versions = [
        rego.compile({"a.rego": DENY}, {}).version,
        rego.compile({"b.rego": DENY}, {}).version,
        rego.compile({"a.rego": DENY + " "}, {}).version,
        rego.compile({"a.rego": DENY, "b.rego": HEAD}, {}).version,
        rego.compile({"a.rego": DENY}, {"x": 1}).version,
        rego.compile({"a.rego": DENY}, {"x": "1"}).version,
    ]
    assert len(set(versions)) == len(versions)
    assert all(len(v) == 23 and v.startswith("sha256:") for v in versions)
    modules, data = {"a.rego": DENY, "b.rego": HEAD}, {"x": 1, "y": {"b": 1, "a": 2}}
    backwards = dict(reversed(modules.items())), {"y": {"a": 2, "b": 1}, "x": 1}
    assert rego.compile(modules, data).version == rego.compile(*backwards).version


def test_engines_agree_on_the_version() -> None:
    """The version is of the policy, not of what runs it."""
    assert len({ClosingEngine(name).compile({"a.rego": DENY}, {}).version for name in ENGINES}) == 1


def test_data_is_below_caracal(rego: ClosingEngine) -> None:
    """A document `limits` is data.caracal.limits."""
    policy = answer(
        rego,
        'result := {"decision": "allow", "ttl_seconds": data.caracal.limits.ttl}',
        limits={"ttl": 7},
    )
    assert policy.decide(document()).ttl_seconds == 7


def test_modules_make_one_policy(rego: ClosingEngine) -> None:
    """A rule of one module is seen by another."""
    parts = {
        "a.rego": HEAD + 'result := {"decision": verdict}',
        "b.rego": HEAD + 'verdict := "allow" if input.zone == "acme"',
    }
    policy = rego.compile(parts, {})
    assert policy.decide(document()).outcome == "allow"
    failure(policy, zone="other")


@pytest.mark.parametrize(
    "source",
    [
        'result := {"decision": "allow"} if input.nothing',
        'result := {"decision": input.nothing}',
        "result := true",
        'result := "allow"',
        'result := {"decision": "yes"}',
        'result := {"decision": "allow", "more": 1}',
        'result := {"decision": "allow", "ttl_seconds": 1 / 0}',
        'result := {"decision": "allow", "ttl_seconds": 123456789012345678901234567890}',
        'result := {"decision": "allow", "scopes": {[1], [2]}}',
        'result := {"decision": "allow"}\nresult := {"decision": "deny"} if input.zone == "acme"',
        'result := {"decision": "allow", "reasons": [upper(7)]}',
        'result := {"decision": "allow"} if { verdict }\nverdict if result.decision == "allow"',
    ],
)
def test_failing_policy_never_allows(rego: ClosingEngine, source: str) -> None:
    """Undefined, malformed, conflicting or failing evaluation: the policy failed."""
    failure(answer(rego, source))


def test_failed_decision_leaves_the_policy_usable(rego: ClosingEngine) -> None:
    """The next document is decided as if nothing had been."""
    policy = answer(
        rego,
        'result := {"decision": upper(input.zone)} if input.zone != "acme"\n'
        'result := {"decision": "deny"} if input.zone == "acme"\n',
    )
    failure(policy, zone=7)
    assert policy.decide(document()).outcome == "deny"


@pytest.mark.parametrize(
    "odd",
    ["{1, 2}", "", "[" * 5_000, str(10**40), '"\\ud800"', "NaN", '"\ud800"', '"\0"'],
    ids=["set", "nothing", "deep", "huge", "surrogate", "nan", "raw", "control"],
)
def test_question_that_is_no_json_fails(rego: ClosingEngine, odd: str) -> None:
    """Such questions fail or are read as they stand; the process lives."""
    policy = answer(rego, 'result := {"decision": "allow"} if input.context.x == 1')
    question = json.dumps(document(context={"x": "odd"})).replace('"odd"', odd)
    with pytest.raises(CaracalError) as caught:
        policy.evaluator.decide(question)
    assert caught.value.reason is Reason.POLICY_FAILED
    assert policy.decide(document(context={"x": 1})).outcome == "allow"


@pytest.mark.parametrize(
    ("modules", "field"),
    [
        ({}, "modules"),
        ({f"{n}.rego": DENY for n in range(MAX_MODULES + 1)}, "modules"),
        ({"../a b": DENY}, "modules"),
        ({"a\n.rego": DENY}, "modules"),
        ({"a.rego": DENY + "#" * MAX_MODULE_BYTES}, "a.rego"),
        ({"a.rego": DENY + "#\ud800"}, "a.rego"),
        ({"a.rego": "package caracal.other\n\nresult := 1"}, "a.rego:1:1"),
        ({"a.rego": "package authz\n\nresult := 1"}, "a.rego:1:1"),
        ({"a.rego": HEAD + "nothing := 1"}, "a.rego:1:1"),
        ({"a.rego": HEAD + "result(x) := x"}, "a.rego:1:1"),
        ({"a.rego": HEAD + 'result contains "x"'}, "a.rego:1:1"),
        ({"a.rego": HEAD + "result.decision := 1"}, "a.rego:1:1"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_unfit_modules_are_refused(
    rego: ClosingEngine, modules: dict[str, str], field: str
) -> None:
    """Bounds, the package and the one rule are checked before anything decides."""
    assert refused(rego, modules) == field


@pytest.mark.parametrize(
    "data",
    [
        {"Bad": 1},
        {"authz": {"result": {"decision": "allow"}}},
        {"ready": {}},
        {"x": {1, 2}},
        {"x": float("nan")},
        {"x": "x" * MAX_DATA_BYTES},
    ],
    ids=lambda data: str(data)[:20],
)
def test_unfit_data_is_refused(rego: ClosingEngine, data: dict[str, Any]) -> None:
    """Data is bounded json and cannot stand in for the policy."""
    assert refused(rego, {"a.rego": DENY}, data) == "data"


def test_other_thread_is_refused(rego: ClosingEngine) -> None:
    """A policy stays on its thread, and lives on after the attempt."""
    policy = rego.compile(grants_modules(), grants_data([grant()]))
    caught: list[BaseException] = []

    def decide_elsewhere() -> None:
        try:
            policy.decide(document())
        except BaseException as exc:  # noqa: BLE001 - a panic would be no Exception
            caught.append(exc)

    thread = threading.Thread(target=decide_elsewhere)
    thread.start()
    thread.join()
    assert isinstance(caught[0], CaracalError)
    assert caught[0].reason is Reason.POLICY_FAILED
    assert "thread" in str(caught[0])
    assert policy.decide(document()).outcome == "allow"


def test_threads_have_policies_of_their_own(rego: ClosingEngine) -> None:
    """Each thread compiles and decides by itself."""
    outcomes: list[str] = []

    def work() -> None:
        policy = ClosingEngine(rego.name).compile(grants_modules(), grants_data([grant()]))
        outcomes.append(policy.decide(document()).outcome)
        policy.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == ["allow"] * 3


def test_panic_of_the_engine_is_a_failure() -> None:
    """A panic is no `Exception`: it still comes out as a failed policy, which then works anew."""
    policy = ClosingEngine(DEFAULT_ENGINE).compile(grants_modules(), grants_data([grant()]))
    first = policy.evaluator._engine
    outcomes: list[str] = []

    def take_over() -> None:
        policy.evaluator._thread = OwnThread()  # lets the call through to the engine, which panics
        failure(policy)
        outcomes.append(policy.decide(document()).outcome)
        policy.close()

    thread = threading.Thread(target=take_over)
    thread.start()
    thread.join()
    assert outcomes == ["allow"]
    del first


def test_closed_policy_fails(rego: ClosingEngine) -> None:
    """A policy that was replaced decides no more, and closes as often as one likes."""
    policy = rego.compile({"a.rego": DENY}, {})
    policy.close()
    policy.close()
    failure(policy)


@pytest.mark.parametrize("name", ["opa", "", "Regorus"])
def test_unknown_engine_is_refused(name: str) -> None:
    """The refusal lists what there is."""
    with pytest.raises(CaracalError, match="regorus, regopy"):
        engine(name)
