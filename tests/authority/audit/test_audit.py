"""Reading the ledger: what was decided, how it came about, and whether it still holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from caracal_grpc.authority.explaining.explanation import Explanation
from caracal_grpc.authority.sessions.sessions import SessionStart
from caracal_grpc.core.limits import REVOCATION_TTL
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.port import Filter
from caracal_grpc.ledger.schema import ENTRIES
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, PAYMENTS


async def explain(rig: Rig, **target: str) -> Explanation:
    """The explanation that an operator gets."""
    assert rig.operator is not None
    return await rig.authority.explaining.explain(rig.operator, "shop", **target)


async def test_mandate_is_explained_from_itself(rig: Rig) -> None:
    """By its entry, its id or the caller's request id: the same entry."""
    mandate = (await rig.exchange("agent", ORDERS, "orders:place", request_id="r1")).mandate
    found = [
        await explain(rig, audit_id=mandate.audit_id),
        await explain(rig, jti=mandate.jti),
        await explain(rig, request_id="r1"),
    ]
    assert {each.entry.id for each in found} == {mandate.audit_id}
    assert [step.by for step in found[0].steps] == [
        "request",
        ORDERS,
        "policy",
        f"policy {mandate.policy_version}",
        "outcome",
    ]
    assert found[0].steps[-1].kept == ("orders:place",)
    assert found[0].alive
    assert found[0].dead_by == ""


async def test_refusal_is_explained(rig: Rig) -> None:
    """A refusal has steps, too, and never was alive."""
    with refused(Reason.POLICY_DENIED) as seen:
        await rig.exchange("agent", PAYMENTS, "payments:charge")
    found = await explain(rig, audit_id=seen.metadata["audit_id"])
    assert found.steps[-1].text == "refused: POLICY_DENIED"
    assert (found.alive, found.dead_by) == (False, "")


async def test_expired_mandate_is_dead_by_time(rig: Rig) -> None:
    """`expired`."""
    mandate = (await rig.exchange("agent", ORDERS, ttl=5)).mandate
    await rig.advance(6)
    found = await explain(rig, jti=mandate.jti)
    assert (found.alive, found.dead_by) == (False, "expired")


@pytest.mark.parametrize("ended", [False, True], ids=["ran out", "ended"])
async def test_session_that_ran_out_killed_nothing(rig: Rig, ended: bool) -> None:
    """A session names itself when it was ended; when its time is over, so is the mandate's."""
    caller = await rig.caller("agent")
    start = SessionStart("shop", life=10)
    session = (await rig.authority.sessions.start(caller, start)).session.id
    mandate = (await rig.exchange("agent", ORDERS, session=session)).mandate
    if ended:
        await rig.authority.sessions.terminate(caller, "shop", session, "")
    await rig.advance(REVOCATION_TTL + 1)
    assert session not in rig.state.dead("shop")
    assert (await explain(rig, jti=mandate.jti)).dead_by == (session if ended else "expired")


@pytest.mark.parametrize(
    "anchor", ["jti", "actor", "subject", "middle session", "root session", "outer session"]
)
async def test_dead_mandate_names_what_killed_it(rig: Rig, anchor: str) -> None:
    """Whatever of its lineage was revoked, the explanation says so."""
    caller = await rig.caller("agent")
    outer = (await rig.authority.sessions.start(caller, SessionStart("shop"))).session
    inner = await rig.authority.sessions.start(caller, SessionStart("shop", parent=outer.id))
    first = await rig.exchange("agent", ORDERS, "orders:place", session=inner.session.id)
    second = await rig.exchange("orders", PAYMENTS, subject_token=first.token)
    third = await rig.exchange("payments", "resource://stock", subject_token=second.token)
    anchors = {
        "jti": third.mandate.jti,
        "actor": rig.application("orders"),
        "subject": rig.application("agent"),
        "middle session": rig.standing("orders"),
        "root session": rig.standing("agent"),
        "outer session": outer.id,
    }
    assert rig.operator is not None
    await rig.authority.revocations.revoke(rig.operator, "shop", anchors[anchor], "")
    found = await explain(rig, jti=third.mandate.jti)
    assert (found.alive, found.dead_by) == (False, anchors[anchor])
    assert anchors[anchor] in third.mandate.anchors


async def test_mandate_of_a_revoked_key_is_dead(rig: Rig) -> None:
    """The key is an anchor, too."""
    mandate = (await rig.exchange("agent", ORDERS, ttl=900)).mandate
    assert rig.operator is not None
    await rig.authority.keys.rotate(rig.operator, "shop")
    await rig.advance(20)
    await rig.authority.revocations.revoke(rig.operator, "shop", mandate.kid, "")
    assert (await explain(rig, jti=mandate.jti)).dead_by == mandate.kid


async def test_change_of_state_is_explained(rig: Rig) -> None:
    """What policy was not asked for has its facts as steps."""
    entry = (await rig.entries(query=Filter(type="zone.apply")))[0]
    found = await explain(rig, audit_id=entry.id)
    assert found.steps[0].by == "zone.apply"
    assert not found.alive


@pytest.mark.parametrize(
    "target", [{"audit_id": "aud_01h455vb4pex5vsknk084sn02q"}, {"jti": "x"}, {"request_id": "x"}]
)
async def test_unknown_entry(rig: Rig, target: dict[str, str]) -> None:
    """OBJECT_NOT_FOUND."""
    with refused(Reason.OBJECT_NOT_FOUND):
        await explain(rig, **target)


async def test_changed_entry_is_not_explained(rig: Rig, tmp_path: Path) -> None:
    """AUDIT_UNAVAILABLE: what was tampered with explains nothing."""
    mandate = (await rig.exchange("agent", ORDERS)).mandate
    engine = create_engine(f"sqlite:///{tmp_path}/ledger.db")
    change = "replace(cast(event as text), 'orders:place', 'orders:admin')"
    with engine.begin() as connection:
        connection.execute(
            text(f"update {ENTRIES.name} set event = cast({change} as blob) where jti = :jti"),
            {"jti": mandate.jti},
        )
    engine.dispose()
    with refused(Reason.AUDIT_UNAVAILABLE):
        await explain(rig, jti=mandate.jti)


async def test_checkpoint_covers_everything(rig: Rig) -> None:
    """Its size counts every entry, and its key is named."""
    await rig.exchange("agent", ORDERS)
    assert rig.operator is not None
    checkpoint, key = await rig.authority.proving.audit.checkpoint(rig.operator, "shop")
    assert checkpoint.size == len(await rig.entries())
    assert key.startswith("a.example/zones/shop+")


async def test_search_is_by_zone(rig: Rig) -> None:
    """Each zone has its own ledger."""
    await rig.exchange("agent", ORDERS)
    assert {entry.zone for entry in await rig.entries("shop")} == {"shop"}
    assert {entry.zone for entry in await rig.entries("caracal")} == {"caracal"}
