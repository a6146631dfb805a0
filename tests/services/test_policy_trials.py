"""Policies tried out on the wire: Simulate, Replay, SetShadow and GetShadow."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from caracal_grpc.core.reason import Reason
from caracal_grpc.v1 import policy_pb2, policy_service_pb2, zone_pb2
from tests.support.authority import Running, reason_of
from tests.support.refusals import refused
from tests.support.shop import ORDERS, PAYMENTS, rego, shop, zone_message

PLACE = "orders:place"
NARROW = {"grants": [{"application": "agent", "resource": ORDERS, "scopes": [PLACE]}]}
UNKNOWN = "sha256:0123456789abcdef"


def request(method: str, **fields: Any) -> Any:
    """A request about the shop."""
    zone = {"zone": "shop"} | fields
    return getattr(policy_service_pb2, f"PolicyService{method}Request")(**zone)


async def ask(authority: Running, method: str, **fields: Any) -> Any:
    """What `PolicyService` answers the operator."""
    call = getattr(authority.stubs.policies, method)
    return await call(request(method, **fields), metadata=await authority.operator())


async def replay(authority: Running, **fields: Any) -> list[Any]:
    """All that a replay tells the operator."""
    metadata = await authority.operator()
    told = authority.stubs.policies.Replay(request("Replay", **fields), metadata=metadata)
    return [each async for each in told]


def policy(declared: dict[str, Any]) -> zone_pb2.Policy:
    """A policy for the wire."""
    return zone_message({"policy": declared}).policy


def question(**fields: Any) -> policy_pb2.PolicyQuestion:
    """What the agent asks about orders."""
    return policy_pb2.PolicyQuestion(**{"application": "agent", "resource": ORDERS} | fields)


async def version_of(authority: Running, declared: dict[str, Any]) -> str:
    """A version that is made of a policy."""
    made = await ask(authority, "Create", policy=policy(declared))
    return str(made.version.version)


async def test_one_question_of_the_active_policy(authority: Running) -> None:
    """Its answer, the rules behind it, and the input as an exchange records it."""
    said = await ask(authority, "Simulate", question=question(scopes=[PLACE], context={"a": "b"}))
    assert (said.answer.decision, list(said.answer.scopes)) == ("allow", [PLACE])
    assert said.rules
    assert {rule.module for rule in said.rules} == {"grants"}
    assert said.version.startswith("sha256:")
    document = json.loads(said.input_json)
    assert document["principal"]["name"] == "agent"
    assert (document["requested_scopes"], document["context"]) == ([PLACE], {"a": "b"})
    again = await ask(authority, "Simulate", question={"input_json": said.input_json})
    assert (again.answer, again.input_json) == (said.answer, said.input_json)


async def test_one_question_of_a_candidate(authority: Running) -> None:
    """A version, or a policy that no version was made of."""
    step_up = rego('{"decision": "step_up", "reasons": ["why"], "step_up": {"reviews": 2}}')
    asked = question(scopes=[PLACE])
    said = await ask(authority, "Simulate", policy=policy(step_up), question=asked)
    assert (said.answer.decision, list(said.answer.reasons)) == ("step_up", ["why"])
    assert json.loads(said.answer.step_up_json) == {"reviews": 2}
    version = await version_of(authority, rego('{"decision": "maybe"}'))
    said = await ask(authority, "Simulate", version=version, question=asked)
    assert (said.answer.decision, said.version) == ("failed", version)
    assert said.answer.failure


async def test_a_replay_tells_what_differs(authority: Running) -> None:
    """And how far it is; of the version that decides there is no difference."""
    issued = await authority.exchange("agent", ORDERS)
    await authority.exchange("agent", ORDERS, PLACE)
    assert await reason_of(authority.exchange("agent", PAYMENTS, "payments:refund"))
    active = (await ask(authority, "GetStatus")).active
    *_, last = await replay(authority, version=active, window=Duration(seconds=60))
    assert (last.done, last.changed, last.replayed) == (True, 0, 3)
    told = await replay(authority, policy=policy(NARROW))
    found = [each for response in told for each in response.differences]
    assert (told[-1].changed, len(found)) == (2, 2)
    first, second = found
    assert (first.audit_id, first.application_name) == (issued.audit_id, "agent")
    assert (first.was.decision, list(first.was.scopes)) == ("allow", ["orders:cancel", PLACE])
    assert (first.now.decision, list(first.now.scopes)) == ("allow", [PLACE])
    assert first.time.seconds > 0
    assert (second.was.decision, second.now.decision) == ("step_up", "deny")
    assert json.loads(second.was.step_up_json or "{}") is not None


async def test_a_replay_that_is_hung_up_makes_room(authority: Running) -> None:
    """It ends with the call."""
    for _ in range(3):
        await authority.exchange("agent", ORDERS)
    metadata = await authority.operator()
    for _ in range(4):
        call = authority.stubs.policies.Replay(
            request("Replay", policy=policy(NARROW)), metadata=metadata
        )
        await call.read()
        call.cancel()
        await asyncio.gather(call.code(), return_exceptions=True)
    async with asyncio.timeout(10):
        while await reason_of(replay(authority, policy=policy(NARROW))) is not None:
            await asyncio.sleep(0.05)


async def test_a_shadow_from_set_to_end(authority: Running) -> None:
    """What it makes otherwise, told by the replica that asks it."""
    assert (await ask(authority, "GetShadow")).version == ""
    version = await version_of(authority, NARROW)
    done = await ask(authority, "SetShadow", version=version)
    assert done.audit_id.startswith("aud_")
    assert done.revision > 0
    assert (await ask(authority, "GetStatus")).shadow == version
    issued = [await authority.exchange("agent", ORDERS) for _ in range(2)]
    async with asyncio.timeout(10):
        while (shown := await ask(authority, "GetShadow")).compared < 2:
            await asyncio.sleep(0.02)
    assert (shown.version, shown.changed, shown.dropped) == (version, 2, 0)
    assert shown.since_time.seconds > 0
    assert shown.replica.startswith("rep_")
    newest, oldest = shown.differences
    assert [newest.audit_id, oldest.audit_id] == [each.audit_id for each in reversed(issued)]
    assert list(newest.now.scopes) == [PLACE]
    again = await ask(authority, "SetShadow", version=version)
    assert again.audit_id == ""
    assert (await ask(authority, "SetShadow")).audit_id.startswith("aud_")
    assert (await ask(authority, "GetShadow")).version == ""


@pytest.mark.parametrize(
    ("method", "fields", "reason"),
    [
        ("Simulate", {}, Reason.FIELD_INVALID),
        ("Simulate", {"question": {"application": "agent"}}, Reason.FIELD_INVALID),
        ("Simulate", {"question": question(resource="orders")}, Reason.FIELD_INVALID),
        ("Simulate", {"question": question(scopes=["x" * 300])}, Reason.FIELD_INVALID),
        ("Simulate", {"question": question(scopes=["a:b"] * 65)}, Reason.FIELD_INVALID),
        ("Simulate", {"question": question(session_id="s")}, Reason.FIELD_INVALID),
        ("Simulate", {"question": question(context={"a": "x" * 257})}, Reason.FIELD_INVALID),
        ("Simulate", {"question": question(input_json="{}")}, Reason.FIELD_INVALID),
        ("Simulate", {"question": {"input_json": "[]"}}, Reason.FIELD_INVALID),
        ("Simulate", {"question": question(), "version": "new"}, Reason.FIELD_INVALID),
        ("Simulate", {"question": question(), "version": UNKNOWN}, Reason.OBJECT_NOT_FOUND),
        ("Simulate", {"question": question(application="nobody")}, Reason.OBJECT_NOT_FOUND),
        ("Simulate", {"question": question(), "zone": "nowhere"}, Reason.OBJECT_NOT_FOUND),
        ("SetShadow", {"version": "new"}, Reason.FIELD_INVALID),
        ("SetShadow", {"version": UNKNOWN}, Reason.OBJECT_NOT_FOUND),
        ("GetShadow", {"zone": "nowhere"}, Reason.OBJECT_NOT_FOUND),
        ("GetShadow", {"zone": "No Zone"}, Reason.FIELD_INVALID),
    ],
)
async def test_what_is_wrong_to_ask(
    authority: Running, method: str, fields: dict[str, Any], reason: Reason
) -> None:
    """Is refused before anything is done."""
    with refused(reason):
        await ask(authority, method, **fields)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, Reason.FIELD_INVALID),
        ({"version": UNKNOWN}, Reason.OBJECT_NOT_FOUND),
        ({"policy": policy(NARROW), "window": Duration(seconds=1)}, Reason.FIELD_INVALID),
        (
            {"policy": policy(NARROW), "window": Duration(seconds=367 * 86_400)},
            Reason.FIELD_INVALID,
        ),
        ({"policy": policy(NARROW), "version": UNKNOWN}, Reason.FIELD_INVALID),
        ({"policy": policy(rego("{"))}, Reason.FIELD_INVALID),
    ],
)
async def test_what_is_wrong_to_replay(
    authority: Running, fields: dict[str, Any], reason: Reason
) -> None:
    """Is refused before anything is told."""
    with refused(reason):
        await replay(authority, **fields)


async def test_what_no_policy_is_there_for(authority: Running) -> None:
    """NO_ACTIVE_POLICY, in a zone that has none."""
    bare = {name: value for name, value in shop().items() if name != "policy"}
    await authority.apply(bare | {"name": "bare"})
    with refused(Reason.NO_ACTIVE_POLICY):
        await ask(authority, "Simulate", zone="bare", question=question())
