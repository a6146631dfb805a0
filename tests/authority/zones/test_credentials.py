"""Secrets of applications: made beside each other, ended, and never shown again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from caracal_grpc.authority.zones.credentials import Held, MadeCredential
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import MAX_CREDENTIALS
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, shop


def operator(rig: Rig) -> Mandate:
    """Who does all this."""
    assert rig.operator is not None
    return rig.operator


async def make(rig: Rig, name: str = "agent", **more: Any) -> MadeCredential:
    """Another secret of an application."""
    return await rig.authority.credentials.create(operator(rig), "shop", name, **more)


async def listed(rig: Rig, name: str = "agent") -> list[Held]:
    """What an application has."""
    credentials = rig.authority.credentials
    return list((await credentials.list(operator(rig), "shop", name, 100, "")).items)


async def works(rig: Rig, secret: str, name: str = "agent") -> bool:
    """Whether an application is known by a secret."""
    try:
        await rig.exchange(name, ORDERS, secret=secret)
    except CaracalError as error:
        assert error.reason is Reason.CLIENT_AUTH_FAILED
        return False
    return True


async def test_apply_makes_the_first_one(rig: Rig) -> None:
    """And answers its id."""
    first = rig.credentials["shop", "agent"]
    assert await listed(rig) == [Held(rig.application("agent"), first.kept)]
    assert first.kept.id.startswith("crd_")
    found = await rig.authority.credentials.get(operator(rig), "shop", first.kept.id)
    assert found.credential == first.kept


async def test_each_secret_works_until_it_is_deleted(any_rig: Rig) -> None:
    """Up to four at a time, each by itself."""
    rig = any_rig
    secrets = {rig.credentials["shop", "agent"].kept.id: rig.credentials["shop", "agent"].secret}
    while len(secrets) < MAX_CREDENTIALS:
        made = (await make(rig)).credential
        secrets[made.kept.id] = made.secret
    assert all([await works(rig, secret) for secret in secrets.values()])
    with refused(Reason.LIMIT_EXCEEDED) as seen:
        await make(rig)
    assert seen.metadata["limit"] == str(MAX_CREDENTIALS)
    for gone in list(secrets):
        await rig.authority.credentials.delete(operator(rig), "shop", gone)
        assert not await works(rig, secrets.pop(gone))
        assert all([await works(rig, secret) for secret in secrets.values()])
        assert {held.credential.id for held in await listed(rig)} == secrets.keys()
    made = (await make(rig)).credential
    assert await works(rig, made.secret)


async def test_secret_ends_at_its_time(rig: Rig) -> None:
    """It is no more in any list, and leaves room for another."""
    made = (await make(rig, ttl=60)).credential
    for _ in range(MAX_CREDENTIALS - 2):
        await make(rig)
    await rig.advance(59)
    assert await works(rig, made.secret)
    await rig.advance(2)
    assert not await works(rig, made.secret)
    assert made.kept.id not in [held.credential.id for held in await listed(rig)]
    with refused(Reason.OBJECT_NOT_FOUND):
        await rig.authority.credentials.get(operator(rig), "shop", made.kept.id)
    with refused(Reason.OBJECT_NOT_FOUND):
        await rig.authority.credentials.delete(operator(rig), "shop", made.kept.id)
    await make(rig)
    record = await rig.last()
    assert record.details["ended"] == (made.kept.id,)


async def test_others_end_when_they_are_told_to(rig: Rig) -> None:
    """After the new one is handed out, with time to hand it out in; never later than before."""
    first = rig.credentials["shop", "agent"]
    short = (await make(rig, ttl=60)).credential
    new = (await make(rig, expire_others=3600)).credential
    ends = {held.credential.id: held.credential.expires_at for held in await listed(rig)}
    now = int(rig.clock.now())
    assert ends == {first.kept.id: now + 3600, short.kept.id: now + 60, new.kept.id: 0}
    assert (await rig.last()).details["shortened"] == (first.kept.id,)
    await rig.advance(3601)
    assert not await works(rig, first.secret)
    assert await works(rig, new.secret)


async def test_others_end_at_once(rig: Rig) -> None:
    """Four make room for one, in one write."""
    for _ in range(MAX_CREDENTIALS - 1):
        await make(rig)
    new = (await make(rig, expire_others=0)).credential
    assert [held.credential for held in await listed(rig)] == [new.kept]
    assert not await works(rig, rig.credentials["shop", "agent"].secret)
    assert await works(rig, new.secret)


async def test_what_a_secret_obtained_outlives_it(rig: Rig) -> None:
    """To end that too, the application or its session is revoked."""
    issued = await rig.exchange("agent", ORDERS)
    first = rig.credentials["shop", "agent"]
    await rig.authority.credentials.delete(operator(rig), "shop", first.kept.id)
    assert not rig.state.dead("shop") & {issued.mandate.jti, issued.mandate.application}


async def test_revoked_application_gets_no_secret(any_rig: Rig) -> None:
    """FIELD_INVALID, and those that it had are gone."""
    rig = any_rig
    await rig.authority.revocations.revoke(operator(rig), "shop", rig.application("agent"), "")
    assert await listed(rig) == []
    with refused(Reason.FIELD_INVALID):
        await make(rig)


async def test_lists_are_by_page(rig: Rig) -> None:
    """Of all applications in the order of ids; a token is of one question."""
    credentials, by = rig.authority.credentials, operator(rig)
    found, token = [], ""
    while True:
        page = await credentials.list(by, "shop", "", 3, token)
        found += [held.credential.id for held in page.items]
        token = page.next_token
        if not token:
            break
        with refused(Reason.FIELD_INVALID):
            await credentials.list(by, "shop", "agent", 3, token)
    assert found == sorted(found)
    assert len(found) == 4


async def test_entry_holds_no_secret(rig: Rig) -> None:
    """What was made or ended, of whom, by whom."""
    made = await make(rig, ttl=60)
    entry = await rig.last()
    assert (entry.type, entry.id) == ("credential.create", made.audit_id)
    assert entry.application == operator(rig).application
    assert entry.details == {
        "name": made.credential.kept.id,
        "application": rig.application("agent"),
        "application_name": "agent",
    }
    for text in (made.credential.secret, made.credential.kept.digest):
        assert text not in str(entry)
        assert text not in repr(made)
    await rig.authority.credentials.delete(operator(rig), "shop", made.credential.kept.id)
    assert (await rig.last()).type == "credential.delete"


async def test_secret_of_another_application_or_zone_is_wrong(rig: Rig) -> None:
    """CLIENT_AUTH_FAILED, however many secrets there are."""
    await rig.apply(shop(name="mall"))
    made = (await make(rig, "orders")).credential
    assert not await works(rig, made.secret, "agent")
    with refused(Reason.CLIENT_AUTH_FAILED):
        await rig.exchange("agent", ORDERS, zone="mall", secret=made.secret)
    with refused(Reason.OBJECT_NOT_FOUND):
        await rig.authority.credentials.get(operator(rig), "mall", made.kept.id)


async def test_only_who_may_make_operators_makes_their_secrets(rig: Rig) -> None:
    """ZONE_FORBIDDEN from any other zone; SCOPE_INSUFFICIENT in the authority's own."""
    credentials = rig.authority.credentials
    await rig.apply(shop(name="mall"))
    stranger = replace(operator(rig), zone="mall")
    clerk = replace(operator(rig), scopes=frozenset({"caracal:credentials:write"}))
    own = rig.credentials["caracal", "operator"].kept.id
    for caller, reason in ((stranger, Reason.ZONE_FORBIDDEN), (clerk, Reason.SCOPE_INSUFFICIENT)):
        with refused(reason):
            await credentials.create(caller, "caracal", "operator")
        with refused(reason):
            await credentials.delete(caller, "caracal", own)
    await credentials.create(clerk, "shop", "agent")
    await credentials.create(operator(rig), "caracal", "operator")


async def test_secrets_made_at_once_at_two_replicas(two: tuple[Rig, Rig]) -> None:
    """None is lost, and none is over the bound."""

    async def attempt(number: int) -> str | Reason:
        try:
            return (await make(two[number % 2])).credential.secret
        except CaracalError as error:
            return error.reason

    told = await asyncio.gather(*map(attempt, range(6)))
    secrets = [each for each in told if not isinstance(each, Reason)]
    assert {each for each in told if isinstance(each, Reason)} <= {
        Reason.LIMIT_EXCEEDED,
        Reason.CONFLICT,
    }
    assert 1 <= len(secrets) <= MAX_CREDENTIALS - 1
    for rig in two:
        await rig.state.reached((await rig.store.list("shop")).revision)
        assert all([await works(rig, secret) for secret in secrets])
        assert len(await listed(rig)) == len(secrets) + 1


async def test_rotation_without_an_outage(two: tuple[Rig, Rig]) -> None:
    """A client that takes the new secret when it is there is never refused, at either replica."""
    first, second = two
    secret, refusals, done = first.credentials["shop", "agent"].secret, 0, 0
    stop = asyncio.Event()

    async def client(rig: Rig) -> None:
        nonlocal refusals, done
        while not stop.is_set():
            if await works(rig, secret):
                done += 1
            else:
                refusals += 1
            await asyncio.sleep(0)

    clients = [asyncio.ensure_future(client(rig)) for rig in (first, second) for _ in range(4)]
    for number in range(5):
        made = await make(two[number % 2])
        for rig in two:
            await rig.state.reached(made.revision)
        old, secret = secret, made.credential.secret
        before = done
        async with asyncio.timeout(20):
            while done < before + 20:
                await asyncio.sleep(0.001)
        for held in await listed(two[number % 2]):
            if held.credential != made.credential.kept:
                await first.authority.credentials.delete(
                    operator(first), "shop", held.credential.id
                )
        assert not await works(first, old)
    stop.set()
    await asyncio.gather(*clients)
    assert refusals == 0
    assert done >= 100


@pytest.mark.parametrize("name", ["nobody", "app_01h455vb4pex5vsknk084sn02q"])
async def test_no_secret_for_nobody(rig: Rig, name: str) -> None:
    """OBJECT_NOT_FOUND."""
    with refused(Reason.OBJECT_NOT_FOUND):
        await make(rig, name)
