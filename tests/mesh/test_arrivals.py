"""What the way in remembers for the way out: how much, for how long, and never for another."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto import mandates
from caracal_grpc.mesh.arrivals import MAX_HOLD, MAX_IDS, MAX_MANDATES, Arrivals
from caracal_grpc.mesh.question import read
from tests.mesh.desk import allowed, refusal
from tests.mesh.swapping import OURS, Kit, kit, outgoing
from tests.support.clock import FakeClock
from tests.support.refusals import refused

THUMBPRINT = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"
FORMS = ["traceparent", "x-request-id"]


def trace(number: int, span: int = 1) -> tuple[str, str]:
    """The trace of that number, as a header."""
    return ("traceparent", f"00-{number:032x}-{span:016x}-01")


def word(form: str, number: int, span: int = 1) -> tuple[str, str]:
    """The same in either form."""
    return trace(number, span) if form == "traceparent" else ("x-request-id", f"r-{number}")


async def caused(made: Kit, *headers: tuple[str, str]) -> str | Reason:
    """On whose behalf a request that hands on nothing but `headers` is, or why on nobody's."""
    answer = await made.out(headers=headers)
    if not allowed(answer):
        return refusal(answer).reason
    return made.exchange.asks[-1].subject_token or ""


@pytest.mark.parametrize("form", FORMS)
async def test_a_request_is_on_behalf_of_the_one_that_caused_it(form: str) -> None:
    """Found by the id of its trace, whatever its span is; the others are others'."""
    made = kit(correlate=form)
    first, second = made.inbound(), made.inbound()
    await made.come_in(first, word(form, 1))
    await made.come_in(second, word(form, 2))
    assert await caused(made, word(form, 2, span=7)) == second
    assert await caused(made, word(form, 1, span=8)) == first
    assert await caused(made, word(form, 3)) is Reason.MANDATE_MISSING
    assert await caused(made) is Reason.MANDATE_MISSING


@pytest.mark.parametrize("form", FORMS)
async def test_nothing_is_found_unless_the_configuration_says_so(form: str) -> None:
    """Nor by the other header than the one that it names."""
    other = next(each for each in FORMS if each != form)
    for correlate in (None, other):
        made = kit(correlate=correlate)
        await made.come_in(made.inbound(), word(form, 1))
        assert await caused(made, word(form, 1)) is Reason.MANDATE_MISSING
        assert (made.arrivals.ids, len(made.arrivals)) == (0, 0)


async def test_what_is_handed_on_counts_before_what_is_found() -> None:
    """And when it is not good, nothing is looked for."""
    made = kit(correlate="traceparent")
    first, second = made.inbound(), made.inbound()
    await made.come_in(first, trace(1))
    assert allowed(await made.out(token=second, headers=[trace(1)]))
    assert made.exchange.asks[-1].subject_token == second
    assert not allowed(await made.out(token="nonsense", headers=[trace(1)]))


async def test_what_was_refused_on_the_way_in_causes_nothing() -> None:
    """Neither does it spoil the id of a good one."""
    made = kit(correlate="traceparent")
    good = made.inbound()
    await made.come_in(good, trace(1))
    for bad in (made.inbound(age=600), made.inbound(scopes=""), "nonsense", ""):
        assert not allowed(await made.come_in(bad, trace(1)))
        assert not allowed(await made.come_in(bad, trace(2)))
    assert await caused(made, trace(1)) == good
    assert await caused(made, trace(2)) is Reason.MANDATE_MISSING


async def test_two_callers_of_one_trace_cause_nothing() -> None:
    """Whoever knows the id of another's trace could otherwise act with that one's authority."""
    made = kit(correlate="traceparent")
    strong, weak = made.inbound(scopes="orders:place orders:cancel"), made.inbound()
    for first, second, number in ((strong, weak, 1), (weak, strong, 2)):
        await made.come_in(first, trace(number))
        await made.come_in(second, trace(number))
        answer = await made.out(headers=[trace(number)])
        assert refusal(answer).reason is Reason.MANDATE_MISSING
        assert refusal(answer).metadata["correlate"] == "traceparent"
        await made.come_in(first, trace(number))
        assert await caused(made, trace(number)) is Reason.MANDATE_MISSING, "it stays so"
    assert made.exchange.asks == []


async def test_a_public_call_in_the_trace_of_another_causes_nothing() -> None:
    """It came with nobody's authority and must not leave with somebody's; in either order."""
    made = kit(correlate="traceparent")
    for number, calls in enumerate((("", made.inbound()), (made.inbound(), ""))):
        for token in calls:
            path = "/shop.v1.Orders/Place" if token else "/shop.v1.Orders/About"
            assert allowed(await made.come_in(token, trace(number + 1), path=path))
        assert await caused(made, trace(number + 1)) is Reason.MANDATE_MISSING


async def test_a_renewed_mandate_of_the_same_caller_takes_the_place_of_the_old() -> None:
    """It is the same authority, for longer."""
    made = kit(correlate="traceparent")
    grant = made.authority.grant(resource=OURS, scopes="orders:place", age=100)
    later = made.authority.grant(
        resource=OURS,
        scopes="orders:place",
        application=grant.application,
        session=grant.session,
    )
    tokens = [made.authority.sign(each) for each in (grant, later)]
    for token in tokens:
        await made.come_in(token, trace(1))
    assert await caused(made, trace(1)) == tokens[1]


async def test_it_is_remembered_for_its_time_only() -> None:
    """Then nobody is found, and there is room again."""
    made = kit(correlate="traceparent", hold=30.0)
    await made.come_in(made.inbound(), trace(1))
    made.time.advance(29)
    assert isinstance(await caused(made, trace(1)), str)
    made.time.advance(2)
    assert await caused(made, trace(1)) is Reason.MANDATE_MISSING
    await made.come_in(made.inbound(), trace(2))
    assert (made.arrivals.ids, len(made.arrivals)) == (1, 1)


async def test_it_is_remembered_while_its_mandate_lives_only() -> None:
    """However long it would be kept; and not at all when it is over, if within the leeway."""
    made = kit(correlate="traceparent", hold=MAX_HOLD)
    await made.come_in(made.inbound(ttl=100), trace(1))
    made.time.advance(101)
    assert await caused(made, trace(1)) is Reason.MANDATE_MISSING
    await made.come_in(made.inbound(ttl=10, age=12), trace(2))
    assert await caused(made, trace(2)) is Reason.MANDATE_MISSING
    assert len(made.arrivals) <= 1


async def test_each_request_is_remembered_for_its_own_time() -> None:
    """Another with the same mandate makes it no longer."""
    made = kit(correlate="traceparent", hold=60.0)
    token = made.inbound()
    await made.come_in(token, trace(1))
    made.time.advance(50)
    await made.come_in(token, trace(2))
    made.time.advance(20)
    assert await caused(made, trace(1)) is Reason.MANDATE_MISSING
    assert await caused(made, trace(2)) == token


@pytest.mark.parametrize("ttl", [2, 100])
async def test_a_mandate_at_its_end_hides_behind_no_other(ttl: int) -> None:
    """Its request may still run when another comes in under the same id; in either order."""
    made = kit(correlate="traceparent")
    ending = made.inbound(ttl=100, age=102 - ttl if ttl == 2 else 0)
    for number, tokens in enumerate(((ending, made.inbound()), (made.inbound(), ending)), 1):
        for token in tokens:
            assert allowed(await made.come_in(token, trace(number)))
            made.time.advance(5)
        assert await caused(made, trace(number)) is Reason.MANDATE_MISSING


async def test_a_revoked_caller_is_not_found_alive() -> None:
    """What is found is verified like what is handed on."""
    made = kit(correlate="traceparent")
    grant = made.authority.grant(resource=OURS, scopes="orders:place")
    await made.come_in(made.authority.sign(grant), trace(1))
    made.feed.revoke(grant.session)
    assert await caused(made, trace(1)) is Reason.MANDATE_REVOKED


async def test_no_more_ids_than_there_is_room_for() -> None:
    """Those that came first keep their places: nobody is crowded out of one and replaced."""
    made = kit(correlate="traceparent", ids=3)
    token = made.inbound()
    for number in range(1, 10):
        await made.come_in(token, trace(number))
    assert made.arrivals.ids == 3
    outcome = [await caused(made, trace(number)) for number in (1, 2, 3, 4, 9)]
    assert outcome == [*[token] * 3, *[Reason.MANDATE_MISSING] * 2]


async def test_no_more_mandates_than_there_is_room_for() -> None:
    """What has no place causes nothing, and its id is nobody's."""
    made = kit(correlate="traceparent", mandates=2)
    tokens = [made.inbound() for _ in range(5)]
    for number, token in enumerate(tokens, 1):
        await made.come_in(token, trace(number))
    assert len(made.arrivals) == 2
    outcome = [await caused(made, trace(number)) for number in range(1, 6)]
    assert outcome == [*tokens[:2], *[Reason.MANDATE_MISSING] * 3]


def test_there_is_a_bound_by_default() -> None:
    """Of both."""
    made = Arrivals(FakeClock())
    assert (made._most_ids, made._most_mandates) == (MAX_IDS, MAX_MANDATES)
    assert MAX_IDS <= 65_536
    assert MAX_MANDATES <= 4_096


async def test_nobody_without_a_mandate_takes_the_room_of_others() -> None:
    """However many ids they make up; and each of theirs is still nobody's."""
    made = kit(correlate="traceparent", ids=3)
    for number in range(100, 120):
        await made.come_in("", trace(number), path="/shop.v1.Orders/About")
    token = made.inbound()
    for number in (1, 2, 119):
        await made.come_in(token, trace(number))
    outcome = [await caused(made, trace(number)) for number in (1, 2, 100, 119)]
    assert outcome == [token, token, *[Reason.MANDATE_MISSING] * 2]
    made.time.advance(40)
    await made.come_in("", trace(2), path="/shop.v1.Orders/About")
    assert await caused(made, trace(2)) is Reason.MANDATE_MISSING
    assert await caused(made, trace(1)) == token


async def test_what_came_in_under_the_id_of_a_public_call_stays_nobodys() -> None:
    """As long as it is remembered itself, when the public call has been forgotten."""
    made = kit(correlate="traceparent", hold=60.0)
    for number, seconds in ((9, 59), (1, 41)):
        await made.come_in("", trace(number), path="/shop.v1.Orders/About")
        made.time.advance(seconds)
    await made.come_in(made.inbound(), trace(1))
    made.time.advance(25)
    assert not made.arrivals._spoilt.has("0" * 31 + "1", made.time.monotonic())
    assert await caused(made, trace(1)) is Reason.MANDATE_MISSING


@pytest.mark.parametrize("header", ["00-" + "0" * 32 + "-" + "1" * 16 + "-01", "nonsense", ""])
async def test_a_broken_trace_is_none(header: str) -> None:
    """Else all that have one would be one."""
    made = kit(correlate="traceparent")
    await made.come_in(made.inbound(), ("traceparent", header))
    assert made.arrivals.ids == 0
    assert await caused(made, ("traceparent", header)) is Reason.MANDATE_MISSING


async def test_two_traces_are_none() -> None:
    """Nobody could say which one counts."""
    made = kit(correlate="traceparent")
    await made.come_in(made.inbound(), trace(1))
    assert await caused(made, trace(1), trace(2)) is Reason.MANDATE_MISSING


async def test_a_bound_mandate_counts_when_its_holder_came_in_by_it() -> None:
    """That the holder has the key is known on the way in only; a stolen one never came in."""
    made = kit(binding=THUMBPRINT)
    bound = made.inbound(binding=THUMBPRINT)
    assert refusal(await made.out(token=bound)).reason is Reason.BINDING_MISMATCH
    mandate = mandates.read(bound, made.feed.keys)
    made.arrivals.note(read(outgoing()), bound, mandate)
    assert allowed(await made.out(token=bound))
    made.time.advance(61)
    assert refusal(await made.out(token=bound)).reason is Reason.BINDING_MISMATCH


async def test_unbound_mandates_are_not_remembered_without_need() -> None:
    """Only what is looked for is kept."""
    made = kit()
    await made.come_in(made.inbound(), trace(1))
    assert len(made.arrivals) == 0


@pytest.mark.parametrize("wrong", [{"hold": 0.0}, {"hold": MAX_HOLD + 1}, {"correlate": "host"}])
def test_what_nobody_should_set_is_refused(wrong: dict[str, Any]) -> None:
    """At the start."""
    with refused("FIELD_INVALID"):
        Arrivals(FakeClock(), **wrong)
