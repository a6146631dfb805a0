"""Stories of which there is much to find: what is told of them, and that it is found at once."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.authority.audit.edge_decisions import Report
from caracal_grpc.authority.explaining import story as telling
from caracal_grpc.authority.sessions.sessions import SessionStart
from caracal_grpc.core.entry import Entry
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.ledger.entries import query, walk
from tests.authority.audit.test_edge_decisions import shown
from tests.authority.explaining.test_story import explain, kinds, story
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, PAYMENTS


async def test_long_story_says_that_it_is_cut(rig: Rig) -> None:
    """Of very many uses the first are told."""
    mandate = (await rig.exchange("agent", ORDERS)).mandate
    caller = await rig.caller("orders")
    uses = tuple(shown(mandate, reason="") for _ in range(300))
    await rig.authority.edge_decisions.record(caller, Report("shop", uses))
    explained = await explain(rig, jti=mandate.jti)
    assert explained.story.cut
    assert 200 < len(explained.story.events) <= 1000


async def test_brief_pages_cut_no_story(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page may end before all is found, or with a token behind which there is nothing."""
    with refused(Reason.POLICY_DENIED):
        await rig.exchange("agent", PAYMENTS, "payments:charge", request_id="r-1")
    await rig.advance(61)
    mandate = (await rig.exchange("agent", ORDERS, request_id="r-1")).mandate
    uses = tuple(shown(mandate, reason="") for _ in range(3))
    await rig.authority.edge_decisions.record(await rig.caller("orders"), Report("shop", uses))
    whole = (await explain(rig, jti=mandate.jti)).story
    monkeypatch.setattr(query, "MAX_PAGE_BYTES", 1)
    monkeypatch.setattr(walk, "FEW", 0)
    monkeypatch.setattr(walk, "SPAN", 2)
    assert (await explain(rig, jti=mandate.jti)).story == whole
    assert not whole.cut
    assert kinds(list(whole.events)).count("used") == 3
    monkeypatch.setattr(telling, "_PAGES", 2)
    assert (await explain(rig, jti=mandate.jti)).story.cut, "so many pages and no more"


async def test_long_past_hides_no_end(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often the session had been suspended before, what came after is told."""
    monkeypatch.setattr(telling, "_MOST", 3)
    caller, operator = await rig.caller("agent"), rig.operator
    assert operator is not None
    session = (await rig.authority.sessions.start(caller, SessionStart("shop"))).session.id
    for _ in range(2):
        await rig.authority.suspensions.suspend(operator, "shop", session, "wait")
        await rig.authority.suspensions.resume(operator, "shop", session, "go on")
        await rig.advance(1)
    mandate = (await rig.exchange("agent", ORDERS, session=session)).mandate
    await rig.advance(1)
    await rig.authority.suspensions.suspend(operator, "shop", session, "stop")
    events = await story(rig, jti=mandate.jti)
    assert (events[0].kind, events[-1].kind) == ("started", "revoked"), "suspended, not ended"
    assert "stop" in events[-1].text


async def test_each_of_a_long_lineage_is_told(rig: Rig) -> None:
    """As many as an entry can name."""
    ids = SystemIds()
    sessions = sorted(ids.new("ses") for _ in range(128))
    facts: dict[str, Any] = {"zone": "shop", "time_ms": int(rig.clock.now() * 1000)}
    grant = Entry(
        id=ids.new("aud"),
        type="exchange",
        decision="allow",
        resource=ORDERS,
        jti=ids.new("mnd"),
        details={"lineage": sessions},
        **facts,
    )
    await rig.ledger.append(grant)
    end = Entry(
        id=ids.new("aud"),
        type="revocation",
        decision="done",
        details={"anchor": sessions[-1]},
        **facts,
    )
    await rig.ledger.append(end)
    assert end.id in {event.audit_id for event in await story(rig, audit_id=grant.id)}


async def test_grant_of_a_busy_mandate_is_found_at_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its id, in one page: nothing that the mandate was used for lies before it."""
    mandate = (await rig.exchange("agent", ORDERS)).mandate
    uses = tuple(shown(mandate, reason="") for _ in range(20))
    await rig.authority.edge_decisions.record(await rig.caller("orders"), Report("shop", uses))
    monkeypatch.setattr(walk, "FEW", 0)
    monkeypatch.setattr(walk, "SPAN", 2)
    pages, plain = 0, rig.ledger._read

    async def counted(*args: Any, **how: Any) -> Any:
        nonlocal pages
        pages += 1
        return await plain(*args, **how)

    monkeypatch.setattr(rig.ledger, "_read", counted)
    found = await rig.authority.explaining._find("shop", "", mandate.jti, "")
    assert found.entry is not None
    assert (found.entry.id, pages) == (mandate.audit_id, 1)
