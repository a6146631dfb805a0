"""Webhooks hear of every new approval: signed, in order, until they took it, from one replica."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from jose import jwt

from caracal_grpc.authority.state.places import delivery_place
from caracal_grpc.authority.webhooks import deliveries
from caracal_grpc.authority.webhooks.event import APPROVAL_HELD
from caracal_grpc.core.approval import Approval
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.verdict import Call, judge
from caracal_grpc.crypto import mandates
from caracal_grpc.crypto.kek import Kek
from caracal_grpc.outbound.http import HttpOutbound
from caracal_grpc.store.port import Delete
from tests.authority.approvals.desk import guarded_shop, held, kept, reject, review, use
from tests.authority.webhooks.conftest import TAKEN
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.rig import Rig, memory_store, open_rig, settle
from tests.support.web import Answer, Request, WebServer

BROKEN = Answer(b"no", 500)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries again soon, and looks often."""
    for name in ("FIRST_WAIT", "MOST_WAIT", "LOOK"):
        monkeypatch.setattr(deliveries, name, 0.02)


async def hooked(rig: Rig, web: WebServer, *paths: str, **approval: Any) -> Rig:
    """Declares a webhook for each path, by the name of it."""
    webhooks = [{"name": path[1:], "url": web.url + path} for path in paths or ("/hook",)]
    await rig.apply(guarded_shop(approval or None, webhooks=webhooks))
    return rig


async def ask(rig: Rig, number: int = 0) -> Approval:
    """A new approval, one a number."""
    return await held(rig, context={"number": str(number)})


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Returns when it holds."""
    async with asyncio.timeout(10):
        while not await condition():
            await asyncio.sleep(0.01)


async def told(rig: Rig, approval: Approval, *left: str) -> None:
    """Returns when only the webhooks `left` have not heard of it."""

    async def holds() -> bool:
        return (await kept(rig, approval)).undelivered == left

    await until(holds)


def claims_of(request: Request) -> dict[str, Any]:
    """What was told, unverified."""
    claims: dict[str, Any] = jwt.get_unverified_claims(request.body.decode())
    return claims


def heard(web: WebServer, path: str = "/hook") -> list[str]:
    """The approvals that were told, in order."""
    told = [claims_of(each) for each in web.requests if each.path == path]
    return [each["events"][APPROVAL_HELD]["approval_id"] for each in told]


async def test_event_is_pushed_signed(rig: Rig, web: WebServer) -> None:
    """A security event token that any JWT library verifies with the keys of the zone."""
    approval = await ask(await hooked(rig, web))
    await told(rig, approval)
    (request,) = web.requests
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/secevent+jwt"
    token, issuer = request.body.decode(), "https://a.example/zones/shop"
    assert jwt.get_unverified_header(token) == {
        "alg": "ES256",
        "kid": rig.keyring.signing_key("shop").kid,
        "typ": "secevent+jwt",
    }
    keys = rig.keyring.key_set("shop").to_jwks()
    audience = f"{web.url}/hook"
    claims = jwt.decode(token, keys, algorithms=["ES256"], audience=audience, issuer=issuer)
    assert set(claims) == {"iss", "aud", "jti", "iat", "events"}, "RFC 8417 sections 2.2 and 4.5"
    assert claims["jti"] == f"{approval.id}.hook"
    facts = claims["events"][APPROVAL_HELD]
    assert facts["approval_id"] == approval.id
    assert facts["binding"] == approval.held.binding
    assert facts["application_name"] == "agent"
    assert facts["expires_at"] == approval.expires_at
    assert "nonce" not in facts, "no proof can release it"


async def test_event_is_no_mandate_and_no_mandate_is_an_event(rig: Rig, web: WebServer) -> None:
    """One key signs both; the type in the header, first of all, keeps them apart."""
    approval = await ask(await hooked(rig, web))
    await told(rig, approval)
    token, keys = web.requests[0].body.decode(), rig.authority.feed.zone_keys("shop")
    with refused(Reason.MANDATE_MALFORMED):
        mandates.read(token, keys.keys)
    with refused(Reason.SUBJECT_TOKEN_INVALID):
        await rig.exchange("orders", "resource://orders", subject_token=token)
    issued = await rig.exchange("agent", "resource://orders")
    mandate = mandates.read(issued.token, keys.keys)
    call = Call("resource", mandate.resource, frozenset(), rig.clock.now())
    judge(mandate, keys.trust, call, frozenset())
    assert jwt.get_unverified_header(issued.token)["typ"] == "at+jwt"
    assert "events" not in jwt.get_unverified_claims(issued.token)


async def test_each_webhook_hears_of_each_approval_in_order(rig: Rig, web: WebServer) -> None:
    """Whatever it answered before, the oldest comes first and once."""
    await hooked(rig, web, "/hook", "/other")
    asked = [await ask(rig, number) for number in range(5)]
    for approval in asked:
        await told(rig, approval)
    for path in ("/hook", "/other"):
        assert heard(web, path) == [approval.id for approval in asked]


async def test_failing_webhook_holds_back_its_own_later_ones_only(rig: Rig, web: WebServer) -> None:
    """It is asked again and again for the first; another hears of all."""
    web.answers["/hook"] = BROKEN
    await hooked(rig, web, "/hook", "/other")
    asked = [await ask(rig, number) for number in range(3)]
    for approval in asked:
        await told(rig, approval, "hook")
    await web.asked("/hook", 4)
    assert set(heard(web)) == {asked[0].id}
    assert heard(web, "/other") == [approval.id for approval in asked]
    web.answers["/hook"] = TAKEN
    for approval in asked:
        await told(rig, approval)
    assert list(dict.fromkeys(heard(web))) == [approval.id for approval in asked]


async def test_it_is_the_same_event_again(rig: Rig, web: WebServer) -> None:
    """So that a receiver that took it, and whose answer was lost, knows it."""
    web.answers["/hook"] = BROKEN
    approval = await ask(await hooked(rig, web))
    await web.asked("/hook", 2)
    web.answers["/hook"] = TAKEN
    await told(rig, approval)
    assert len({json.dumps(claims_of(request)) for request in web.requests}) == 1


async def failures(caplog: pytest.LogCaptureFixture, count: int = 2) -> None:
    """Returns when the log has told of so many tries that failed."""

    async def holds() -> bool:
        found = [each for each in caplog.records if each.name == "caracal.webhooks"]
        return len(found) >= count

    await until(holds)


async def test_webhook_that_refuses_connections_is_told_when_it_is_back(
    rig: Rig, web: WebServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is lost meanwhile."""
    await hooked(rig, web)
    await web.stop()
    asked = [await ask(rig, number) for number in range(2)]
    await failures(caplog)
    await web.start()
    for approval in asked:
        await told(rig, approval)
    assert heard(web) == [approval.id for approval in asked]


async def test_redirection_is_no_answer(rig: Rig, web: WebServer) -> None:
    """It is told where the operator said, and nowhere else."""
    web.answers["/hook"] = Answer(status=307, headers={"Location": f"{web.url}/other"})
    approval = await ask(await hooked(rig, web))
    await web.asked("/hook", 2)
    assert web.count("/other") == 0
    assert (await kept(rig, approval)).undelivered == ("hook",)


async def test_address_that_is_not_of_the_internet_is_refused(
    rig: Rig, web: WebServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Unless the operator of the authority allowed it; it is never called."""
    refusing = HttpOutbound()
    rig.authority._deliveries._outbound = refusing
    approval = await ask(await hooked(rig, web))
    await failures(caplog)
    assert web.requests == []
    assert web.url not in caplog.text, "an URL may hold a secret"
    assert (await kept(rig, approval)).undelivered == ("hook",)
    await refusing.close()


async def test_expired_approval_is_not_told_any_more(rig: Rig, web: WebServer) -> None:
    """And it holds back nobody behind it."""
    web.answers["/hook"] = BROKEN
    await hooked(rig, web, ttl_seconds=60)
    first = await ask(rig, 1)
    await web.asked("/hook")
    await rig.advance(61)
    web.answers["/hook"] = TAKEN
    second = await ask(rig, 2)
    await told(rig, second)
    assert heard(web)[-1] == second.id
    assert (await kept(rig, first)).undelivered == ("hook",)
    assert rig.authority._deliveries._undelivered._waiting == {}


async def test_notes_and_votes_do_not_lose_each_other(rig: Rig, web: WebServer) -> None:
    """Told, approved and used at the same time, an approval is all of it."""
    web.hold("/hook")
    await hooked(rig, web)
    approval = await ask(rig)
    await web.asked("/hook")
    await review(rig, approval)
    web.release("/hook")
    issued, _ = await asyncio.gather(
        use(rig, approval, context={"number": "0"}), told(rig, approval)
    )
    assert issued.mandate.approval == approval.id
    after = await kept(rig, approval)
    assert (after.state(rig.clock.now()), after.undelivered) == ("consumed", ())


async def test_approval_that_is_gone_is_forgotten(rig: Rig, web: WebServer) -> None:
    """And what comes after it is told."""
    web.answers["/hook"] = BROKEN
    await hooked(rig, web)
    first, second = await ask(rig, 1), await ask(rig, 2)
    await web.asked("/hook")
    await rig.store.commit([Delete(rig.authority.approvals._book.put(first).key)])
    web.answers["/hook"] = TAKEN
    await told(rig, second)
    assert heard(web)[-1] == second.id


async def test_webhook_that_is_removed_is_not_told(rig: Rig, web: WebServer) -> None:
    """Others are, of the same approval."""
    web.answers["/hook"] = BROKEN
    await hooked(rig, web, "/hook", "/other")
    approval = await ask(rig)
    await web.asked("/hook")
    await hooked(rig, web, "/other")
    await told(rig, approval, "hook")
    assert heard(web, "/other") == [approval.id]


async def test_rejected_approval_is_told_all_the_same(rig: Rig, web: WebServer) -> None:
    """The event is that a request was held, whatever became of it."""
    web.answers["/hook"] = BROKEN
    approval = await ask(await hooked(rig, web))
    await reject(rig, approval)
    web.answers["/hook"] = TAKEN
    await told(rig, approval)


async def test_what_was_not_told_is_told_after_a_restart(
    tmp_path: Path, clock: FakeClock, web: WebServer
) -> None:
    """By the replica that comes after, in the same order."""
    store, kek = memory_store(clock), Kek.generate()
    web.answers["/hook"] = BROKEN
    async with open_rig(tmp_path, store, clock, kek=kek) as rig:
        await hooked(await settle(rig), web)
        asked = [await ask(rig, number) for number in range(3)]
        await web.asked("/hook")
    web.requests.clear()
    web.answers["/hook"] = TAKEN
    async with open_rig(tmp_path, store, clock, kek=kek) as rig:
        for approval in asked:
            await told(rig, approval)
    assert heard(web) == [approval.id for approval in asked]
    await store.close()


async def test_two_replicas_tell_once(two: tuple[Rig, Rig], web: WebServer) -> None:
    """Whichever holds the request, the one that owns the webhook tells of it."""
    await hooked(two[0], web)
    await two[1].state.reached(two[0].state.revision)
    asked = [await ask(two[number % 2], number) for number in range(8)]
    for approval in asked:
        await told(two[0], approval)
    assert sorted(heard(web)) == sorted(approval.id for approval in asked)


async def test_another_replica_takes_over(two: tuple[Rig, Rig], web: WebServer) -> None:
    """Once the one that owned the webhook is gone; until then nobody else tells."""
    await hooked(two[0], web)
    await two[1].state.reached(two[0].state.revision)
    await told(two[0], await ask(two[0], 1))
    owner = two[0].state.records("shop", "deliveries")["hook"].value["owner"]
    by_name = {rig.authority._replicas.own: rig for rig in two}
    gone = by_name.pop(owner)
    (other,) = by_name.values()
    await gone.authority._deliveries.close()
    asked = [await ask(gone, number) for number in (2, 3)]
    assert not other.authority._deliveries._owners.is_free(delivery_place("shop", "hook"))
    assert len(heard(web)) == 1, "the owner still lives"
    await gone.authority._replicas.close()
    for approval in asked:
        await told(other, approval)
    assert heard(web)[1:] == [approval.id for approval in asked]


async def test_lineage_is_told_no_further_than_mandates_show_it(rig: Rig, web: WebServer) -> None:
    """A zone that hides who is behind a request hides it here, too."""
    await hooked(rig, web)
    await told(rig, await ask(rig, 1))
    hidden = guarded_shop(
        webhooks=[{"name": "hook", "url": f"{web.url}/hook"}],
        settings={"chain_visibility": "CHAIN_VISIBILITY_LAST"},
    )
    await rig.apply(hidden)
    await told(rig, await ask(rig, 2))
    facts = [claims_of(request)["events"][APPROVAL_HELD] for request in web.requests]
    assert ["actor_chain" in each for each in facts] == [True, False]
