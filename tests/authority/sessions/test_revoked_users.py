"""Users who are revoked: out at once, and not back in by anything from before."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from caracal_grpc.authority.state.places import revocation_place
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import MAX_SESSION_LIFE, REVOCATION_TTL
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.session import Session
from caracal_grpc.core.user import User
from caracal_grpc.store.port import Change, Expect, Store
from tests.authority.sessions.desk import outcomes, start
from tests.authority.sessions.logins import Login, zone
from tests.support.idp import identity_provider
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS


async def revoke(rig: Rig, user: str) -> None:
    """Revokes a user as the operator."""
    assert rig.operator is not None
    await rig.authority.revocations.revoke(rig.operator, "shop", user, "a test")


async def test_revoked_user_is_out(login: Login) -> None:
    """Their sessions, mandates and logins, at once; nobody else's."""
    session = await login.start(login.corp.id_token("alice"))
    other = await login.start(login.corp.id_token("bob"))
    shown = (await login.rig.exchange("agent", ORDERS, session=session.id)).mandate
    await revoke(login.rig, session.subject)
    assert not login.rig.state.dead("shop").isdisjoint(shown.anchors)
    with refused(Reason.SESSION_NOT_ACTIVE) as seen:
        await login.rig.exchange("agent", ORDERS, session=session.id)
    assert seen.metadata == {**seen.metadata, "session": session.id, "state": "terminated"}
    with refused(Reason.SESSION_NOT_ACTIVE):
        await start(login.rig, parent=session.id)
    await login.rig.exchange("agent", ORDERS, session=other.id)
    assert await login.refused(login.corp.id_token("alice")) == "MANDATE_REVOKED"
    await login.rig.advance(60)
    assert await login.refused(login.corp.id_token("alice")) == "MANDATE_REVOKED"
    assert await login.start(login.partner.id_token("alice"))


async def forgotten(rig: Rig, user: str) -> None:
    """Returns when the revocation of a user is; the leases of etcd go by a time of their own."""
    await rig.advance(REVOCATION_TTL + 1)
    if user in rig.state.dead("shop"):
        await rig.state.reached(await rig.store.delete(revocation_place("shop", user)))
    assert user not in rig.state.dead("shop")


async def test_token_from_before_a_revocation_is_no_way_back(login: Login) -> None:
    """When the revocation is forgotten, only who logged in since may start again."""
    await login.rig.apply(zone(corp=login.corp.declared(max_age_seconds=86_400)))
    day = int(login.rig.clock.now()) + MAX_SESSION_LIFE
    before = login.corp.id_token("alice", exp=day)
    session = await login.start(before, life=MAX_SESSION_LIFE)
    await revoke(login.rig, session.subject)
    await forgotten(login.rig, session.subject)
    assert await login.refused(before) == "MANDATE_REVOKED"
    with refused(Reason.SESSION_NOT_ACTIVE):
        await login.rig.exchange("agent", ORDERS, session=session.id)
    again = await login.start(login.corp.id_token("alice"))
    assert again.subject == session.subject
    assert (await login.rig.exchange("agent", ORDERS, session=again.id)).mandate


@dataclass
class Interposed:
    """A store before whose next commit something else happens, once."""

    store: Store
    before: Callable[[], Awaitable[None]] | None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def commit(self, changes: Sequence[Change], expects: Sequence[Expect] = ()) -> int:
        """Lets that happen, and commits."""
        before, self.before = self.before, None
        if before:
            await before()
        return await self.store.commit(changes, expects)


async def test_user_who_is_revoked_on_the_way_starts_nothing(login: Login) -> None:
    """However long a start takes after it was found to be good, the revocation comes first."""
    user = User(login.corp.issuer, "alice").id

    async def meanwhile() -> None:
        await revoke(login.rig, user)
        await login.rig.advance(60)

    store: Any = Interposed(login.rig.store, meanwhile)
    login.rig.authority.starter._store = store
    assert await login.refused(login.corp.id_token("alice")) == "MANDATE_REVOKED"
    assert store.before is None
    assert all(each.subject != user for each in login.rig.state.sessions("shop"))


async def test_start_and_revocation_at_once(two: tuple[Rig, Rig]) -> None:
    """On two replicas: whichever wins, no session of the user lives in the end."""
    first, second = two
    async with identity_provider(first.clock.now) as corp:
        applied = await first.apply(zone(corp=corp.declared()))
        await second.state.reached(applied.revision)
        caller = await first.caller("agent")
        for number in range(8):
            token, user = corp.id_token(f"u{number}"), User(corp.issuer, f"u{number}").id
            starts = [start(replica, caller, id_token=token) for replica in (first, second) * 3]
            results, _ = await asyncio.gather(outcomes(*starts), revoke(second, user))
            begun = [each for each in results if isinstance(each, Session)]
            assert set(results) - set(begun) <= {Reason.SUBJECT_TOKEN_INVALID}
            await first.state.reached(second.state.revision)
            for session in begun:
                for replica in two:
                    await replica.state.reached(first.state.revision)
                    with pytest.raises(CaracalError) as seen:
                        await replica.exchange("agent", ORDERS, session=session.id)
                    assert seen.value.reason is Reason.SESSION_NOT_ACTIVE
