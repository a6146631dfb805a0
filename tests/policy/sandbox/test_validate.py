"""A policy looked through before it decides: what is wrong, what is doubtful, how its tests end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.policy.bundle import Bundle
from caracal_grpc.policy.engines import engine
from caracal_grpc.policy.grants import grants_data, grants_modules
from caracal_grpc.policy.port import Finding, Report
from caracal_grpc.policy.sandbox.engine import SandboxEngine
from caracal_grpc.policy.sandbox.limits import Limits
from tests.policy.documents import grant
from tests.policy.sandbox.policies import HEAD, HONEST, bundle, children
from tests.support.clock import FakeClock
from tests.support.refusals import refused

TESTS = "package caracal.authz_test\n\nimport data.caracal.authz\n\n"
ACME = '{"zone": "acme", "requested_scopes": []}'
HOLDS = f'test_holds if authz.result.decision == "allow" with input as {ACME}\n'


async def looked_through(sandbox: SandboxEngine, *sources: str, tests: str = "") -> Report:
    """What is found in modules `0.rego`, `1.rego`, …, with `tests` in `t.rego`."""
    modules = {f"{number}.rego": HEAD + source for number, source in enumerate(sources)}
    return await sandbox.validate(
        Bundle.of(modules, {}), {"t.rego": TESTS + tests} if tests else {}
    )


def places(report: Report, severity: str = "error") -> list[str]:
    """Where the findings of that severity are, as `place:line:column`."""
    found = [each for each in report.findings if each.severity == severity]
    return [f"{each.place}:{each.line}:{each.column}" for each in found]


async def test_sound_policy_has_no_findings(both: SandboxEngine) -> None:
    """And is valid, with the tests that hold."""
    report = await looked_through(both, HONEST, tests=HOLDS)
    assert report.findings == ()
    assert [(each.module, each.name, each.passed) for each in report.tests] == [
        ("t.rego", "test_holds", True)
    ]
    assert report.valid


async def test_each_module_that_is_not_rego_is_placed(sandbox: SandboxEngine) -> None:
    """The first fault of each, of the tests too; no test is run then."""
    report = await looked_through(
        sandbox, HONEST, "x := ", 'y := "\n', "z := [\n", tests="test_a if\n"
    )
    assert [place.rpartition(":")[0] for place in places(report)] == [
        "1.rego:3",
        "2.rego:3",
        "3.rego:4",
        "t.rego:6",
    ]
    assert not report.valid
    assert report.tests == ()


async def test_every_call_that_is_not_allowed_is_placed(sandbox: SandboxEngine) -> None:
    """All of them at once, with what else the modules must not do."""
    report = await looked_through(
        sandbox,
        HONEST,
        "x := time.now_ns()\n\ny := http.send({})\n",
        "f(a) := f(a)\n\nz if input.zone with input as {}\n",
    )
    found = sorted(place.rpartition(":")[0] for place in places(report))
    assert found == ["1.rego:3", "1.rego:5", "2.rego:3", "2.rego:5"]


async def test_variable_that_nothing_binds_is_an_error(sandbox: SandboxEngine) -> None:
    """Though no decision comes by it."""
    report = await looked_through(sandbox, HONEST, "x := nothing_of_the_kind\n")
    assert [place.rpartition(":")[0] for place in places(report)] == ["1.rego:3"]


@pytest.mark.parametrize(
    ("reference", "hint"),
    [
        ("input.principal.nmae", "is it name?"),
        ("input.princpal.name", "is it principal?"),
        ('input["resource"].scope', "is it scopes?"),
        ("input.lineage[0].app", "known are"),
        ("input.lineage[_].nam", "is it name?"),
        ("input.zone.name", "single value"),
        ("input.requested_scopes.first", "is a list"),
        ("input.resource.may_act[_].actr", "is it actor?"),
        ("input.peer.spiffeid", "is it spiffe_id?"),
        ("input.peer.kubernetes.name", "is it namespace?"),
    ],
)
async def test_field_that_no_input_has_is_doubtful(
    sandbox: SandboxEngine, reference: str, hint: str
) -> None:
    """Once, with what may be meant; the policy is valid all the same."""
    report = await looked_through(
        sandbox, f'{HONEST}\nresult := {{"decision": "deny"}} if {reference} == "x"\n'
    )
    (found,) = report.findings
    assert (found.severity, found.place, found.line) == ("warning", "0.rego", 7)
    assert hint in found.text
    assert report.valid


async def test_fields_that_input_has_are_not(sandbox: SandboxEngine) -> None:
    """Of every kind, and whatever a caller says in its context."""
    used = [
        "input.principal.labels[_]",
        "input.subject.issuer",
        "input.session.delegation",
        "input.lineage[i].session_id",
        "input.actor.name",
        "input.peer.address",
        "input.peer.method",
        "input.peer.spiffe_id",
        "input.peer.dns_names[_]",
        "input.peer.kubernetes.service_account",
        "input.context.anything.at[0].all",
        "input.resource.family",
        "input.now",
        "input[input.zone]",
    ]
    body = "\n".join(f"\tsome i; {each}" if "[i]" in each else f"\t{each}" for each in used)
    source = f'{HONEST}\nresult := {{"decision": "deny"}} if {{\n{body}\n}}\n'
    assert (await looked_through(sandbox, source)).findings == ()


async def test_rule_that_nothing_uses_is_doubtful(sandbox: SandboxEngine) -> None:
    """Once, however many pieces define it; one that only a test uses is not."""
    source = f"{HONEST}\nidle if input.zone\n\nidle if input.now\n\nf(x) := x\n\ntested := 1\n"
    report = await looked_through(sandbox, source, tests=HOLDS + "test_x if authz.tested == 1\n")
    assert places(report, "warning") == ["0.rego:7:1", "0.rego:11:1"]


async def test_tests_that_do_not_hold_are_told(both: SandboxEngine) -> None:
    """Undefined, false, something else, and failing; the others are run all the same."""
    tests = HOLDS + (
        "test_undefined if false\n\n"
        "test_false := false\n\n"
        "test_number := 7\n\n"
        'test_last if authz.result.decision == "deny" with input as {}\n'
    )
    report = await looked_through(both, HONEST, tests=tests)
    ended = {each.name: each.passed for each in report.tests}
    assert ended == {
        "test_holds": True,
        "test_undefined": False,
        "test_false": False,
        "test_number": False,
        "test_last": True,
    }
    assert all(each.detail for each in report.tests if not each.passed)
    assert not report.valid


async def test_test_that_takes_too_long_does_not_hold(limits: Limits, clock: FakeClock) -> None:
    """Nor do those after it, which are not run."""
    n = list(range(300))
    wild = "test_wild if { some a in n; some b in n; some c in n; some d in n; a+b+c+d == -1 }"
    tests = f"{HOLDS}\nn := {n} if input.x\n\n{wild.replace('in n', 'in m')}\n\ntest_z := true\n"
    tests = tests.replace(f"n := {n} if input.x", f"m := {n}")
    engine_ = SandboxEngine("regorus", replace(limits, work=1.5), clock.monotonic)
    before = children()
    report = await looked_through(engine_, HONEST, tests=tests)
    assert [each.passed for each in report.tests] == [True, False, False]
    assert "takes too long" in report.tests[1].detail
    assert "was not run" in report.tests[2].detail
    await engine_.close()
    assert children() == before


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("package caracal.other\n\ntest_a := true\n", "must be package caracal.authz_test"),
        ("package caracal.authz_test\n\ntest_a if time.now_ns() > 1\n", "time.now_ns"),
        ("package caracal.authz_test\n\nf(x) := f(x)\n\ntest_a := f(1)\n", "within itself"),
    ],
)
async def test_tests_are_bounded_like_policies(
    sandbox: SandboxEngine, source: str, text: str
) -> None:
    """Their package, what they call, and how."""
    report = await sandbox.validate(bundle(HONEST), {"t.rego": source})
    assert [text in each.text for each in report.findings if each.severity == "error"] == [True]
    assert report.tests == ()


async def test_module_without_a_test_is_doubtful(sandbox: SandboxEngine) -> None:
    """It reads like one, and tests nothing."""
    report = await looked_through(sandbox, HONEST, tests="tset_a := true\n")
    assert report.findings == (
        Finding("warning", "t.rego", "has no rule test_…, so it tests nothing", 1, 1),
    )


async def test_grants_have_tests_too() -> None:
    """Which run where they can do no harm, over the built-in module."""
    rules, data = engine(), grants_data([grant()])
    tests: Mapping[str, str] = {
        "t.rego": TESTS + "test_a if data.caracal.grants.shop\n\ntest_b if authz.result == 1\n"
    }
    report = await rules.validate(Bundle.of(grants_modules(), data), tests)
    assert [each.passed for each in report.tests] == [True, False]
    assert (await rules.validate(Bundle.of(grants_modules(), data), {})) == Report()
    await rules.close()


async def test_policy_that_breaks_the_engine_is_not_judged(
    limits: Limits, clock: FakeClock
) -> None:
    """POLICY_FAILED, with nothing left behind."""
    tiny = SandboxEngine("regorus", replace(limits, memory=8 * 1_048_576), clock.monotonic)
    before = children()
    with refused(Reason.POLICY_FAILED):
        await tiny.validate(bundle(HONEST), {})
    with refused(Reason.POLICY_FAILED):
        await tiny.compile(bundle(HONEST))
    await tiny.close()
    assert children() == before
