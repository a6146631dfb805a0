"""The shadow: asked beside the policy that decides, and without any influence on it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from caracal_grpc.authority.policies.active import active_policy
from caracal_grpc.authority.policies.shadow import MAX_DIFFERENCES, MAX_WAITING, Shadow, Tally
from caracal_grpc.core.decision import Decision
from caracal_grpc.core.entry import Entry
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import typeid
from caracal_grpc.core.limits import AUTHORITY_RESOURCE
from caracal_grpc.core.reason import Reason
from caracal_grpc.policy.port import Explanation
from caracal_grpc.services import zone_parse
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, PAYMENTS, rego, shop, zone_message

PLACE = "orders:place"
NARROW = {"grants": [{"application": "agent", "resource": ORDERS, "scopes": [PLACE]}]}
LOOPS = """package caracal.authz

many := [1 | some i in input.resource.scopes; some j in input.resource.scopes]

result := {"decision": "deny", "reasons": [sprintf("%d", [count(all)])]} if {
	all := [1 |
		some a in split(input.context.long, ""); some b in split(input.context.long, "")
		some c in split(input.context.long, ""); some d in split(input.context.long, "")
		some e in split(input.context.long, ""); some f in split(input.context.long, "")
	]
}
"""


class Fake:
    """A policy with a will of its own."""

    version = "sha256:0123456789abcdef"

    def __init__(self, what: BaseException | None = None) -> None:
        self.what = what
        self.asked = asyncio.Event()
        self.goes_on = asyncio.Event()
        self.closed = False

    async def decide(self, question: str) -> Decision:
        """Denies once it may go on, or fails."""
        self.asked.set()
        await self.goes_on.wait()
        if self.what:
            raise self.what
        return Decision("deny")

    async def explain(self, question: str) -> Explanation:
        """Nobody asks: a shadow is compared by what it decides."""
        raise AssertionError(f"explained: {question}")

    async def close(self) -> None:
        """Is remembered."""
        self.closed = True


def entry(number: int = 0, **fields: Any) -> Entry:
    """A decision that was made."""
    facts = {
        "id": typeid("aud", 1_790_000_000_000 + number, b"0123456789"),
        "zone": "shop",
        "time_ms": 1_790_000_000_000,
        "type": "exchange",
        "decision": "allow",
        "policy_version": Fake.version,
        "question": '{"requested_scopes":["a:a"],"resource":{"scopes":["a:a"]}}',
        "answer": '{"decision":"allow","scopes":["a:a"]}',
    }
    return Entry(**facts | fields)


async def version_of(rig: Rig, policy: dict[str, Any]) -> str:
    """A version that is made of a policy."""
    content = zone_parse.policy("policy", zone_message({"policy": policy}).policy)
    assert rig.operator is not None
    made = await rig.authority.catalogue.create(rig.operator, "shop", content, "")
    return made.described.version.id


async def set_shadow(rig: Rig, version: str) -> str:
    """The entry of setting it."""
    assert rig.operator is not None
    return (await rig.authority.trials.shadowing.set(rig.operator, "shop", version)).audit_id


def tally(rig: Rig) -> Tally:
    """What the replica has counted."""
    assert rig.operator is not None
    found = rig.authority.trials.shadowing.tally(rig.operator, "shop")
    assert found is not None
    return found


async def compared(rig: Rig, count: int) -> Tally:
    """What the replica has counted once that many are compared."""
    async with asyncio.timeout(20):
        while tally(rig).compared < count:
            await asyncio.sleep(0.01)
    return tally(rig)


async def test_every_decision_is_asked_about(any_rig: Rig) -> None:
    """From when it is set: what it makes otherwise is told, with what was."""
    rig = any_rig
    await rig.exchange("agent", ORDERS)
    version = await version_of(rig, NARROW)
    audit_id = await set_shadow(rig, version)
    assert active_policy(rig.state, "shop").shadow == version
    recorded = await rig.last()
    assert (recorded.id, recorded.type) == (audit_id, "policy.shadow")
    assert recorded.details == {"before": "", "after": version}
    assert (tally(rig).version, tally(rig).compared) == (version, 0)
    assert tally(rig).since == rig.clock.now()
    both = await rig.exchange("agent", ORDERS)
    await rig.exchange("agent", ORDERS, PLACE)
    with refused(Reason.POLICY_DENIED):
        await rig.exchange("agent", ORDERS, "orders:track")
    with refused(Reason.STEP_UP_REQUIRED) as held:
        await rig.exchange("agent", PAYMENTS, "payments:refund")
    seen = await compared(rig, 4)
    assert (seen.changed, seen.dropped) == (2, 0)
    first, second = seen.differences
    assert first.audit_id == both.mandate.audit_id
    assert (first.was.scopes, first.now.scopes) == (("orders:cancel", PLACE), (PLACE,))
    assert second.audit_id == held.metadata["audit_id"]
    assert (second.was.decision, second.now.decision) == ("step_up", "deny")


async def test_it_is_ended_and_replaced(rig: Rig) -> None:
    """Each begins to count anew; again is no change, and no entry."""
    first, second = await version_of(rig, NARROW), await version_of(rig, {"grants": []})
    await set_shadow(rig, first)
    await rig.exchange("agent", ORDERS)
    await compared(rig, 1)
    assert await set_shadow(rig, first) == ""
    await set_shadow(rig, second)
    assert (tally(rig).version, tally(rig).compared) == (second, 0)
    await set_shadow(rig, "")
    assert rig.authority.trials.shadowing.tally(await rig.caller("agent"), "shop") is None
    assert await set_shadow(rig, "") == ""


async def test_what_is_asked_before_policy_is_nobodys_question(rig: Rig) -> None:
    """Only decisions of policy are compared."""
    await set_shadow(rig, await version_of(rig, NARROW))
    with refused(Reason.OBJECT_NOT_FOUND):
        await rig.exchange("agent", "resource://nothing")
    with refused(Reason.CLIENT_AUTH_FAILED):
        await rig.exchange("agent", ORDERS, secret="wrong")
    await rig.exchange("agent", ORDERS, PLACE)
    seen = await compared(rig, 1)
    assert (seen.compared, seen.dropped, seen.changed) == (1, 0, 0)


async def test_a_repeated_request_is_one_decision(rig: Rig) -> None:
    """However often it is answered."""
    await set_shadow(rig, await version_of(rig, {"grants": []}))
    for _ in range(3):
        await rig.exchange("agent", ORDERS, PLACE, request_id="again")
    await rig.exchange("agent", ORDERS, PLACE)
    assert (await compared(rig, 2)).compared == 2


@pytest.mark.parametrize(
    "policy",
    [rego('{"decision": "maybe"}'), {"modules": [{"name": "loops.rego", "source": LOOPS}]}],
    ids=["nonsense", "endless"],
)
async def test_a_shadow_that_fails_changes_no_answer(rig: Rig, policy: dict[str, Any]) -> None:
    """Each failure is a difference, and the exchange goes on as if there were no shadow."""
    await set_shadow(rig, await version_of(rig, policy))
    context = {"long": "x" * 250}
    for _ in range(3):
        issued = await rig.exchange("agent", ORDERS, PLACE, context=context)
        assert issued.mandate.scopes == {PLACE}
    async with asyncio.timeout(30):
        while not tally(rig).changed:
            issued = await rig.exchange("agent", ORDERS, PLACE, context=context)
            await asyncio.sleep(0.05)
    assert tally(rig).differences[-1].now.decision == "failed"


async def test_a_shadow_that_hangs_holds_up_nothing() -> None:
    """What waits is bounded, what is too much is counted, and the end comes all the same."""
    policy = Fake()

    async def compile_it() -> Fake:
        return policy

    shadow = Shadow(Tally("v", 0.0), compile_it)
    shadow.offer(entry())
    await policy.asked.wait()
    for number in range(MAX_WAITING + 7):
        shadow.offer(entry(number))
    assert (shadow.tally.compared, shadow.tally.dropped) == (0, 7)
    task = shadow.end()
    assert task is not None
    await asyncio.gather(task, return_exceptions=True)
    assert policy.closed


@pytest.mark.parametrize(
    ("what", "counts"),
    [
        (CaracalError(Reason.POLICY_FAILED, "it failed"), (3, 0)),
        (CaracalError(Reason.POLICY_FAILED, "it gets time again", retry_after=1.0), (0, 3)),
        (RuntimeError("a fault"), (0, 3)),
    ],
    ids=["failed", "absent", "fault"],
)
async def test_a_shadow_goes_on_after_a_failure(what: Exception, counts: tuple[int, int]) -> None:
    """One of the policy is a difference; one that is not there for a while was not asked, nor was
    one when the fault is ours.
    """
    policy = Fake(what)
    policy.goes_on.set()
    attempts = 0

    async def compile_it() -> Fake:
        nonlocal attempts
        attempts += 1
        return policy

    shadow = Shadow(Tally("v", 0.0), compile_it)
    for number in range(3):
        shadow.offer(entry(number))
    async with asyncio.timeout(5):
        while shadow.tally.compared + shadow.tally.dropped < 3:
            await asyncio.sleep(0)
    assert (shadow.tally.changed, shadow.tally.dropped) == counts
    task = shadow.end()
    assert task is not None
    await asyncio.gather(task, return_exceptions=True)


class Panic(BaseException):
    """What an engine that breaks may raise: no `Exception`."""


async def test_a_shadow_that_panics_ends_alone(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, closed, and offered decisions as before, which it drops in the end."""
    policy = Fake(Panic("at the disco"))
    policy.goes_on.set()

    async def compile_it() -> Fake:
        return policy

    shadow = Shadow(Tally("v", 0.0), compile_it)
    shadow.offer(entry())
    async with asyncio.timeout(5):
        while not policy.closed:
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    for number in range(MAX_WAITING + 1):
        shadow.offer(entry(number))
    assert (shadow.tally.compared, shadow.tally.dropped) == (0, 1)
    told = [each.getMessage() for each in caplog.records if each.name == "caracal.policies"]
    assert told == ["the shadow v is asked no more; set it anew"]


async def test_only_the_newest_differences_are_kept() -> None:
    """And a decision without a question is counted as one that was not asked about."""
    policy = Fake()
    policy.goes_on.set()

    async def compile_it() -> Fake:
        return policy

    shadow = Shadow(Tally("v", 0.0), compile_it)
    for number in range(MAX_DIFFERENCES + 5):
        shadow.offer(entry(number))
        await asyncio.sleep(0)
    async with asyncio.timeout(20):
        while shadow.tally.compared < MAX_DIFFERENCES + 5:
            await asyncio.sleep(0)
    shadow.offer(entry(question=""))
    assert (shadow.tally.changed, shadow.tally.dropped) == (MAX_DIFFERENCES + 5, 1)
    assert len(shadow.tally.differences) == MAX_DIFFERENCES
    assert shadow.tally.differences[0].audit_id == entry(5).id
    task = shadow.end()
    assert task is not None
    await asyncio.gather(task, return_exceptions=True)


async def test_a_shadow_that_cannot_be_compiled_is_tried_again() -> None:
    """While the store is away, say; what was offered meanwhile waits."""
    policy = Fake()
    policy.goes_on.set()
    attempts = 0

    async def compile_it() -> Fake:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise CaracalError(Reason.STORE_UNAVAILABLE, "away")
        return policy

    shadow = Shadow(Tally("v", 0.0), compile_it)
    shadow.offer(entry())
    async with asyncio.timeout(10):
        while not shadow.tally.compared:
            await asyncio.sleep(0.01)
    task = shadow.end()
    assert task is not None
    await asyncio.gather(task, return_exceptions=True)


async def test_what_cannot_be_a_shadow(rig: Rig) -> None:
    """What is no version, is not there, or decides already; and nothing where nothing decides."""
    with refused(Reason.FIELD_INVALID):
        await set_shadow(rig, "latest")
    with refused(Reason.OBJECT_NOT_FOUND):
        await set_shadow(rig, Fake.version)
    with refused(Reason.FIELD_INVALID):
        await set_shadow(rig, active_policy(rig.state, "shop").active)
    shadowing = rig.authority.trials.shadowing
    with refused(Reason.ZONE_FORBIDDEN):
        await shadowing.set(await rig.caller("agent"), "caracal", "")
    with refused(Reason.OBJECT_NOT_FOUND):
        await shadowing.set(rig.operator, "nowhere", "")  # type: ignore[arg-type]
    with refused(Reason.ZONE_FORBIDDEN):
        shadowing.tally(await rig.caller("agent"), "caracal")


async def test_nothing_to_be_asked_beside(rig: Rig) -> None:
    """NO_ACTIVE_POLICY in a zone that has versions only."""
    bare = {name: value for name, value in shop().items() if name != "policy"}
    await rig.apply(bare | {"name": "bare"})
    content = zone_parse.policy("policy", zone_message({"policy": {"grants": []}}).policy)
    assert rig.operator is not None
    made = await rig.authority.catalogue.create(rig.operator, "bare", content, "")
    with refused(Reason.NO_ACTIVE_POLICY):
        await rig.authority.trials.shadowing.set(rig.operator, "bare", made.described.version.id)


async def test_each_replica_asks_about_its_own(two: tuple[Rig, Rig]) -> None:
    """Set at one, asked at both; activating the shadow ends it everywhere."""
    first, second = two
    version = await version_of(first, NARROW)
    await set_shadow(first, version)
    await second.state.reached(first.state.revision)
    await second.exchange("agent", ORDERS)
    assert (await compared(second, 1)).changed == 1
    assert tally(first).compared == 0
    assert first.operator is not None
    await first.authority.activations.activate(first.operator, "shop", version)
    await second.state.reached(first.state.revision)
    for each in two:
        assert each.authority.trials.shadowing.tally(first.operator, "shop") is None


async def test_two_at_once(two: tuple[Rig, Rig]) -> None:
    """One of them holds, and who is too late hears so (CONFLICT)."""
    versions = [await version_of(two[0], {"grants": [], "modules": []} | NARROW)]
    versions.append(await version_of(two[0], {"grants": []}))
    await two[1].state.reached(two[0].state.revision)
    done = await asyncio.gather(
        *(set_shadow(rig, version) for rig, version in zip(two, versions, strict=True)),
        return_exceptions=True,
    )
    await two[1].state.reached(two[0].state.revision)
    held = [version for version, each in zip(versions, done, strict=True) if isinstance(each, str)]
    for each in done:
        assert isinstance(each, str) or (
            isinstance(each, CaracalError) and each.reason is Reason.CONFLICT
        )
    assert active_policy(two[0].state, "shop").shadow in held


async def test_policy_for_the_authority_is_compared_too(rig: Rig) -> None:
    """Its own scopes are resources of the zone like any."""
    await set_shadow(rig, await version_of(rig, {"grants": []}))
    await rig.exchange("agent", AUTHORITY_RESOURCE)
    assert (await compared(rig, 1)).compared == 1
