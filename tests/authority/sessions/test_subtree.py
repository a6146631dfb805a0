"""Ten thousand sessions that end with one write."""

from __future__ import annotations

from typing import Any

from caracal_grpc.authority.sessions.start import SessionStart, session_below
from caracal_grpc.authority.state import places
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.session import Session
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.store.port import Put
from tests.authority.sessions.desk import start, state_of
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS

COUNT = 10_000
WIDTH = 100
BATCH = 100


async def grown(rig: Rig, top: Session) -> list[Session]:
    """Sessions three levels deep below `top`, put into the store many at a time."""
    ids, now, found = SystemIds(), int(rig.clock.now()), [top]
    lines = {top.id: rig.state.lineage(top)}
    for number in range(COUNT):
        parent = found[number // WIDTH]
        line = lines[parent.id]
        session = session_below(line, SessionStart("shop"), None, ids.new("ses"), now)
        lines[session.id] = (*line, session)
        found.append(session)
    revision = 0
    for at in range(1, len(found), BATCH):
        batch = found[at : at + BATCH]
        puts = [Put(places.session_place("shop", each.id), each.to_value()) for each in batch]
        revision = await rig.store.commit(puts)
    await rig.state.reached(revision)
    return found[1:]


async def test_one_write_ends_all_of_them(etcd_rig: Rig) -> None:
    """Nothing is issued in any of them any more, and every mandate of theirs is dead."""
    rig = etcd_rig
    top, beside = await start(rig, life=86_400), await start(rig)
    below = await grown(rig, top)
    assert sum(1 for _ in rig.authority.tree.below("shop", top.id)) == COUNT + 1
    sample = [top, *below[:: COUNT // 20], below[-1]]
    issued = [await rig.exchange("agent", ORDERS, session=each.id) for each in sample]
    caller = await rig.caller("agent")
    deltas: list[Any] = []

    def note(_: Any, changed: Any) -> None:
        if mine := {key for key in changed if key.zone == "shop"}:
            deltas.append(mine)

    cancel = rig.state.subscribe(note)
    ended = await rig.authority.sessions.terminate(caller, "shop", top.id, "enough")
    cancel()
    assert deltas == [
        {places.session_place("shop", top.id), places.revocation_place("shop", top.id)}
    ]
    assert rig.state.revision_of(places.session_place("shop", top.id)) == ended.revision
    dead = rig.state.dead("shop")
    assert all(not dead.isdisjoint(each.mandate.anchors) for each in issued)
    for session in sample:
        assert await state_of(rig, session) == "terminated"
        with refused(Reason.SESSION_NOT_ACTIVE) as seen:
            await rig.exchange("agent", ORDERS, session=session.id)
        assert seen.metadata["session"] == top.id
        with refused(Reason.SESSION_NOT_ACTIVE):
            await start(rig, caller, parent=session.id)
    await rig.exchange("agent", ORDERS, session=beside.id)
