"""Sessions by the hundred, put into the store as they are, and what becomes of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from caracal_grpc.authority.revocation.impact import Impact
from caracal_grpc.authority.revocation.revocations import Revoked
from caracal_grpc.authority.revocation.session_filter import SessionFilter
from caracal_grpc.authority.state import places
from caracal_grpc.core import ids
from caracal_grpc.core.session import Session
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.store.port import MAX_CHANGES, Put
from tests.support.rig import Rig

_IDS = SystemIds()


def below(rig: Rig, parent: str, application: str = "agent", **more: Any) -> Session:
    """A session of an application below another, an hour long; `more` are its fields."""
    above = rig.state.session("shop", parent)
    now = int(rig.clock.now())
    made = Session(
        id=_IDS.new(ids.SESSION),
        zone="shop",
        application=rig.application(application),
        subject=above.subject,
        subject_type=above.subject_type,
        root=above.root,
        parent=parent,
        created_at=now,
        expires_at=now + 3600,
    )
    return replace(made, **more)


async def plant(rig: Rig, sessions: Iterable[Session]) -> list[Session]:
    """Puts sessions into the store, as many together as it takes."""
    planted = list(sessions)
    puts = [
        Put(places.session_place(each.zone, each.id), each.to_value(), ttl=90_000)
        for each in planted
    ]
    revision = 0
    for begin in range(0, len(puts), MAX_CHANGES):
        revision = await rig.store.commit(puts[begin : begin + MAX_CHANGES])
    await rig.state.reached(revision)
    return planted


async def one(rig: Rig, parent: str, application: str = "agent", **more: Any) -> Session:
    """One session, planted."""
    return (await plant(rig, [below(rig, parent, application, **more)]))[0]


async def revoke(rig: Rig, anchor: str, zone: str = "shop") -> Revoked:
    """Revokes an anchor as the operator."""
    assert rig.operator is not None
    return await rig.authority.revocations.revoke(rig.operator, zone, anchor, "why")


async def revoke_fitting(rig: Rig, **parts: Any) -> Revoked:
    """Revokes the sessions that a filter of `parts` fits, as the operator."""
    assert rig.operator is not None
    wanted = SessionFilter(**parts)
    return await rig.authority.revocations.revoke_fitting(rig.operator, "shop", wanted, "why")


def would_fall(rig: Rig, anchor: str = "", **parts: Any) -> Impact:
    """What a dry run answers for an anchor, or for a filter of `parts`."""
    assert rig.operator is not None
    revocations = rig.authority.revocations
    if anchor:
        return revocations.impact(rig.operator, "shop", anchor)
    return revocations.impact_of_fitting(rig.operator, "shop", SessionFilter(**parts))


def fallen(impact: Impact) -> Iterator[tuple[str, int]]:
    """The ids of what falls with their depths."""
    return ((each.session.id, each.depth) for each in impact.fallen)


def dead_sessions(rig: Rig) -> set[str]:
    """The anchors of sessions that this replica knows to be dead."""
    return {anchor for anchor in rig.state.dead("shop") if anchor.startswith("ses_")}
