"""Credentials in a gateway: asked for once, kept for a minute at most, and forgotten."""

from __future__ import annotations

import asyncio

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from tests.interceptors.support import eventually
from tests.mesh.desk import allowed, refusal, told
from tests.mesh.lending import FROZEN, REVOKED, about, gateway


async def test_it_is_asked_for_once_while_it_is_good() -> None:
    """For all mandates of its resource; each of them is judged by itself."""
    made = gateway()
    for _ in range(3):
        assert allowed(await made.ask(token=made.mandate()))
    assert len(made.release.asked) == 1
    made.time.advance(59)
    assert allowed(await made.ask(token=made.mandate()))
    made.time.advance(2)
    assert allowed(await made.ask(token=made.mandate()))
    assert len(made.release.asked) == 2


async def test_each_resource_is_asked_for_by_itself() -> None:
    """What was released for one of a family is not for the others."""
    made = gateway()
    for part in ("c-1", "c-2", "c-1"):
        token = made.mandate(resource=f"resource://customers/{part}")
        assert allowed(await made.ask(f"/customers/{part}", token))
    assert [upstream for upstream, _ in made.release.asked] == ["customers"] * 2


@pytest.mark.parametrize("life", [600.0, 1e9, 60.0])
async def test_it_is_kept_for_a_minute_at_most(life: float) -> None:
    """Whatever the authority says, or the clocks do."""
    made = gateway()
    made.release.life = life
    await made.ask(token=made.mandate())
    made.time.advance(61)
    await made.ask(token=made.mandate())
    assert len(made.release.asked) == 2


@pytest.mark.parametrize("life", [0.0, -5.0, -1e9])
async def test_what_is_over_already_serves_once(life: float) -> None:
    """It was released for this request; nothing of it is kept."""
    made = gateway()
    made.release.life = life
    assert allowed(await made.ask(token=made.mandate()))
    assert len(made.credentials) == 0
    await made.ask(token=made.mandate())
    assert len(made.release.asked) == 2


async def test_requests_at_one_time_share_one_release() -> None:
    """Whoever leaves does not end it for the others."""
    made = gateway()
    made.release.held = asyncio.Event()
    asking = [asyncio.create_task(made.ask(token=made.mandate())) for _ in range(5)]
    await eventually(lambda: bool(made.release.asked))
    asking[0].cancel()
    made.release.held.set()
    assert all(map(allowed, await asyncio.gather(*asking[1:])))
    assert len(made.release.asked) == 1


async def test_nobody_is_refused_for_the_mandate_of_another() -> None:
    """Whoever waited asks with its own."""
    made = gateway()
    made.release.held = asyncio.Event()
    made.release.refusals.append(about(REVOKED))
    asking = [asyncio.create_task(made.ask(token=made.mandate())) for _ in range(4)]
    await eventually(lambda: bool(made.release.asked))
    made.release.held.set()
    outcome = [allowed(answer) for answer in await asyncio.gather(*asking)]
    assert sorted(outcome) == [False, True, True, True]
    assert len(made.release.asked) == 2


async def test_a_no_to_all_is_not_asked_about_at_once_again() -> None:
    """It is over after a moment, and after as long as the authority says."""
    made = gateway()
    limited = CaracalError(Reason.RATE_LIMITED, "too many", retry_after=7.0)
    for refusal_, pause in ((FROZEN, 0.6), (limited, 7.1)):
        made.release.refusals.append(about(refusal_, mandate=False))
        before = len(made.release.asked)
        for _ in range(3):
            assert refusal(await made.ask(token=made.mandate())).reason is refusal_.reason
        assert len(made.release.asked) == before + 1
        made.time.advance(pause)
        assert allowed(await made.ask(token=made.mandate()))
        made.time.advance(61)


async def test_each_refused_request_has_an_entry_of_its_own() -> None:
    """That of the one that asked says nothing of the others, who are refused with it."""
    made = gateway()
    made.release.held = asyncio.Event()
    made.release.refusals.append(about(FROZEN, mandate=False))
    asking = [asyncio.create_task(made.ask(token=made.mandate())) for _ in range(2)]
    await eventually(lambda: bool(made.release.asked))
    made.release.held.set()
    answers = [*await asyncio.gather(*asking), await made.ask(token=made.mandate())]
    assert {refusal(answer).reason for answer in answers} == {Reason.ZONE_FROZEN}
    ours = [decision.id for decision in made.decisions]
    assert [told(answer)["decision_id"] for answer in answers] == ["aud_8", *ours]
    assert len(ours) == 2


async def test_no_more_are_kept_than_there_is_room_for() -> None:
    """The one that was not used for longest goes first."""
    made = gateway(size=3)
    for part in range(9):
        token = made.mandate(resource=f"resource://customers/{part}")
        assert allowed(await made.ask(f"/customers/{part}", token))
        assert len(made.credentials) <= 3


async def test_what_is_over_is_forgotten_though_nobody_asks() -> None:
    """A secret is not left lying about."""
    made = gateway()
    await made.ask(token=made.mandate())
    assert len(made.credentials) == 1
    made.time.advance(61)
    made.credentials._sweep()
    assert len(made.credentials) == 0
    assert made.credentials._sweeper is None


async def test_it_looks_for_what_is_over_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as there is something to look at."""
    monkeypatch.setattr("caracal_grpc.mesh.credentials.SWEEP", 0.01)
    made = gateway()
    await made.ask(token=made.mandate())
    first = made.credentials._sweeper
    await eventually(lambda: made.credentials._sweeper is not first)
    made.time.advance(61)
    await eventually(lambda: len(made.credentials) == 0)


async def test_a_closed_gateway_keeps_nothing() -> None:
    """Who waits is refused, and nothing is begun any more."""
    made = gateway()
    await made.ask(token=made.mandate())
    made.release.held = asyncio.Event()
    other = made.mandate(resource="resource://customers/c-1")
    waiting = asyncio.create_task(made.ask("/customers/c-1", other))
    await eventually(lambda: len(made.release.asked) == 2)
    await made.credentials.close()
    assert refusal(await waiting).reason is Reason.AUTHORITY_STALE
    assert len(made.credentials) == 0
    assert not allowed(await made.ask("/customers/c-1", other))
    assert len(made.release.asked) == 2
    await made.credentials.close()


async def test_only_so_many_are_asked_for_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent authority piles up no more."""
    monkeypatch.setattr("caracal_grpc.mesh.credentials.MAX_FLIGHTS", 2)
    made = gateway()
    made.release.held = asyncio.Event()

    async def ask(part: int) -> bool:
        token = made.mandate(resource=f"resource://customers/{part}")
        return allowed(await made.ask(f"/customers/{part}", token))

    asking = [asyncio.create_task(ask(part)) for part in range(5)]
    await eventually(lambda: len(made.release.asked) == 2)
    assert not await asking[4]
    made.release.held.set()
    assert sum(await asyncio.gather(*asking)) == 2


async def test_what_breaks_here_is_a_refusal(caplog: pytest.LogCaptureFixture) -> None:
    """Said in the log, without a secret."""
    made = gateway()
    made.release.refusals.append(RuntimeError("broken"))
    token = made.mandate()
    assert refusal(await made.ask(token=token)).reason is Reason.AUTHORITY_STALE
    assert "crm" in caplog.text
    assert token not in caplog.text
