"""What is wrong with a policy, found before it is a version: each with the place and what to do."""

from __future__ import annotations

from collections.abc import Mapping

from caracal_grpc.authority.policies.content import Content
from caracal_grpc.authority.policies.validation import Judged
from caracal_grpc.core.reason import Reason
from tests.authority.policies.samples import PLACE, create, granting, made, operator
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS

ALLOW = 'package caracal.authz\n\nresult := {"decision": "deny", "reasons": ["no"]}\n'


async def judged(rig: Rig, content: Content) -> Judged:
    """What is found in the shop."""
    return await rig.authority.catalogue.validate(operator(rig), "shop", content)


def places(found: Judged) -> list[str]:
    """Where errors are."""
    return [each.place for each in found.report.findings if each.severity == "error"]


def modules(source: str, tests: Mapping[str, str] | None = None) -> Content:
    """A policy of one module."""
    return Content(modules={"main.rego": source}, tests=tests or {})


async def test_a_valid_policy_is_told_its_version(rig: Rig) -> None:
    """Nothing is made of it."""
    found = await judged(rig, PLACE)
    assert (found.report.findings, found.report.valid) == ((), True)
    with refused(Reason.OBJECT_NOT_FOUND):
        await rig.authority.catalogue.get(operator(rig), "shop", found.version)
    assert await made(rig, PLACE) == found.version


async def test_grants_that_lead_nowhere_are_found(rig: Rig) -> None:
    """Applications, resources, scopes and issuers that the zone does not have."""
    grants = [
        *granting("orders:place", application="nobody").grants,
        {"application": "agent", "resource": "resource://none", "scopes": ["a"]},
        *granting("orders:fly").grants,
        *granting("orders:place", users=["nowhere/*"]).grants,
        *granting("orders:place", subjects=["nobody"]).grants,
        *granting(
            "orders:place", step_up=["orders:place"], approval={"proof_system": "none"}
        ).grants,
    ]
    found = await judged(rig, Content(grants=tuple(grants)))
    assert places(found) == [
        "grants[0].application",
        "grants[1].resource",
        "grants[2].scopes",
        "grants[3].users",
        "grants[4].subjects",
        "grants[5].approval.proof_system",
    ]
    assert found.version == ""


async def test_grants_that_are_no_grants_are_found(rig: Rig) -> None:
    """A form error has its place, too."""
    grants = (*PLACE.grants, {"application": "agent", "resource": ORDERS, "scopes": []})
    found = await judged(rig, Content(grants=grants))
    assert places(found) == ["grants[1].scopes"]


async def test_a_module_that_does_not_compile_has_line_and_column(rig: Rig) -> None:
    """As the engine tells it."""
    found = await judged(rig, modules("package caracal.authz\n\nresult := {\n"))
    assert places(found) == ["main.rego"]
    assert found.report.findings[0].line >= 3
    assert found.report.findings[0].column >= 1
    assert found.report.tests == ()


async def test_a_module_that_no_engine_may_read_has_them_too(rig: Rig) -> None:
    """What is bounded before any engine reads it."""
    found = await judged(rig, modules(f"package caracal.authz\n\nresult := {'[' * 20}\n"))
    assert places(found) == ["main.rego"]
    assert (found.report.findings[0].line, found.version) == (3, "")


async def test_grants_and_modules_are_judged_together(rig: Rig) -> None:
    """All of it in one answer."""
    content = Content(grants=({"application": "agent"},), modules={"main.rego": "package x\n\n{"})
    assert {each.partition("[")[0] for each in places(await judged(rig, content))} == {
        "grants",
        "main.rego",
    }


async def test_tests_run(rig: Rig) -> None:
    """Each rule is told, and one that does not hold keeps the policy from being a version."""
    asked = 'data.caracal.authz.result.decision == "{}" with input as {{}}'
    source = (
        "package caracal.authz_test\n\n"
        f"test_denies if {asked.format('deny')}\n\ntest_allows if {asked.format('allow')}\n"
    )
    found = await judged(rig, modules(ALLOW, {"main_test.rego": source}))
    ended = {each.name: each.passed for each in found.report.tests}
    assert ended == {"test_denies": True, "test_allows": False}
    assert found.version == ""
    with refused(Reason.FIELD_INVALID) as refusal:
        await create(rig, modules(ALLOW, {"main_test.rego": source}))
    assert refusal.fields == ["main_test.rego:test_allows"]


async def test_errors_keep_a_policy_from_being_a_version(rig: Rig) -> None:
    """FIELD_INVALID with a violation for each, and nothing is made or recorded."""
    entries = len(await rig.entries())
    with refused(Reason.FIELD_INVALID) as refusal:
        await create(rig, granting("orders:fly", application="nobody"))
    fields = refusal.fields
    assert fields == ["policy.grants[0].application", "policy.grants[0].scopes"]
    with refused(Reason.FIELD_INVALID) as refusal:
        await create(rig, modules("package caracal.authz\n\nresult := {\n"))
    assert refusal.fields[0].startswith("main.rego:")
    assert len(await rig.entries()) == entries


async def test_validation_is_for_the_zone(rig: Rig) -> None:
    """ZONE_FORBIDDEN to strangers; what exists is what that zone has."""
    caller = await rig.caller("agent")
    with refused(Reason.ZONE_FORBIDDEN):
        await rig.authority.catalogue.validate(caller, "caracal", PLACE)
    found = await rig.authority.catalogue.validate(operator(rig), "caracal", PLACE)
    assert places(found) == ["grants[0].application", "grants[0].resource"]
