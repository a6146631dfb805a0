"""Starting sessions: only below what the zone has, and only so many."""

from __future__ import annotations

import pytest

from caracal_grpc.authority.sessions import live
from caracal_grpc.authority.sessions.sessions import SessionStart
from caracal_grpc.core.ceiling import Ceiling
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import CARACAL, ORDERS

BAD: dict[str, tuple[dict[str, list[str]], str]] = {
    "no scopes": ({ORDERS: []}, "ceiling.scopes"),
    "a resource that is not declared": ({"resource://no": ["a:b"]}, "ceiling.resource"),
    "a scope that is not declared": ({ORDERS: ["orders:place", "a:b"]}, "ceiling.scopes"),
    "a scope of another resource": ({ORDERS: ["stock:read"]}, "ceiling.scopes"),
    "a long scope of two lines": ({ORDERS: ["x\n" + "y" * 50_000]}, "ceiling.scopes"),
}


@pytest.mark.parametrize("case", BAD)
async def test_ceiling_of_what_the_zone_does_not_have(rig: Rig, case: str) -> None:
    """FIELD_INVALID by the rule of a declared ceiling, and nothing is written."""
    limits, field = BAD[case]
    caller = await rig.caller("agent")
    ceiling = Ceiling({name: frozenset(scopes) for name, scopes in limits.items()})
    revision = rig.state.revision
    with refused(Reason.FIELD_INVALID) as seen:
        await rig.authority.sessions.start(caller, SessionStart("shop", ceiling=ceiling))
    assert seen.fields[0] == field
    assert len(str(seen.error)) < 300
    assert "\n" not in str(seen.error)
    assert rig.state.revision == revision


async def test_ceiling_may_name_the_authority(rig: Rig) -> None:
    """It is a resource of every zone."""
    caller = await rig.caller("agent")
    ceiling = Ceiling({CARACAL: frozenset({"caracal:sessions:read"})})
    started = await rig.authority.sessions.start(caller, SessionStart("shop", ceiling=ceiling))
    assert started.session.ceiling == ceiling


async def start(rig: Rig, caller: Mandate, life: int = 600) -> str:
    """The id of a new session."""
    started = await rig.authority.sessions.start(caller, SessionStart("shop", life=life))
    return started.session.id


async def test_live_sessions_of_an_application_are_bounded(
    any_rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LIMIT_EXCEEDED for one more; what is terminated or expired does not count, nor do others'."""
    rig = any_rig
    monkeypatch.setattr(live, "MAX_SESSIONS", 3)
    caller, other = await rig.caller("agent"), await rig.caller("orders")
    first, _, _ = [await start(rig, caller, life) for life in (600, 600, 60)]
    with refused(Reason.LIMIT_EXCEEDED) as seen:
        await start(rig, caller)
    assert seen.metadata["limit"] == "3"
    await start(rig, other)
    await rig.authority.sessions.terminate(caller, "shop", first, "")
    await start(rig, caller)
    with refused(Reason.LIMIT_EXCEEDED):
        await start(rig, caller)
    await rig.advance(61)
    await start(rig, caller)
    with refused(Reason.LIMIT_EXCEEDED):
        await start(rig, caller)


async def test_sessions_that_were_there_count(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica that starts later knows of them."""
    caller = await rig.caller("agent")
    await start(rig, caller)
    counted = live.LiveSessions(rig.state)
    monkeypatch.setattr(live, "MAX_SESSIONS", 1)
    with refused(Reason.LIMIT_EXCEEDED):
        counted.require_room(caller.application, rig.clock.now())
    counted.require_room("app_of_nobody", rig.clock.now())
    counted.close()
