"""Assertions of an application's own key count once, at whichever replica and however often."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from caracal_grpc.authority.state import places
from caracal_grpc.core.limits import LEEWAY, MAX_ASSERTION_LIFE, SHORT_ASSERTION_LIFE
from caracal_grpc.core.reason import Reason
from tests.authority.workloads.mesh import Mesh
from tests.support.foreign import ForeignSigner
from tests.support.refusals import refused
from tests.support.rig import Rig

CROWD = 30


async def test_assertion_counts_once(mesh: Mesh) -> None:
    """Whatever it was for; another one with another `jti` is good."""
    assertion = mesh.own_assertion()
    await mesh.exchange("signer", assertion=assertion)
    assert await mesh.cause("signer", assertion=assertion) == "MANDATE_REPLAYED"
    signed_again = mesh.own_assertion()
    assert await mesh.cause("signer", assertion=signed_again) == "MANDATE_REPLAYED"
    assert await mesh.exchange("signer", assertion=mesh.own_assertion(jti="j-2"))


@pytest.mark.parametrize("life", [60, MAX_ASSERTION_LIFE])
async def test_jti_is_remembered_longer_than_any_replica_takes_it(mesh: Mesh, life: int) -> None:
    """Two leeways beyond its end, by the clock of one that is behind, it is a replay still."""
    ends = int(mesh.rig.clock.now()) + life
    await mesh.authenticate("signer", assertion=mesh.own_assertion(exp=ends))
    (record,) = (await mesh.rig.store.list("shop", places.ASSERTIONS)).records
    mesh.rig.clock.advance(life + 3 * LEEWAY - 1)
    assert await mesh.rig.store.get(record.key) is not None
    mesh.rig.clock.advance(2)
    assert await mesh.rig.store.get(record.key) is None


async def test_two_applications_may_choose_the_same_jti(mesh: Mesh) -> None:
    """They do not know each other."""
    await mesh.authenticate("signer", assertion=mesh.own_assertion())
    theirs = mesh.other.token(mesh.own_claims("stranger"))
    assert await mesh.authenticate("stranger", assertion=theirs)


async def test_what_is_refused_does_not_count(mesh: Mesh) -> None:
    """Nobody can use up an assertion with a forged one of its `jti`."""
    forged = ForeignSigner.generate("ES256", "own").token(mesh.own_claims())
    assert await mesh.cause("signer", assertion=forged) == "MANDATE_SIGNATURE_INVALID"
    late = mesh.own_assertion(aud="https://other.example")
    assert await mesh.cause("signer", assertion=late) == "AUDIENCE_MISMATCH"
    assert (await mesh.rig.store.list("shop", places.ASSERTIONS)).records == ()
    assert await mesh.authenticate("signer", assertion=mesh.own_assertion())


async def test_zone_takes_its_assertions_along(mesh: Mesh) -> None:
    """When it is removed; who is made again there has another id."""
    await mesh.rig.apply(mesh.zone("mall"))
    audience = "https://a.example/zones/mall"
    assertion = mesh.own.token(mesh.own_claims("signer", "mall", aud=audience))
    await mesh.authenticate("signer", "mall", assertion=assertion)
    assert len((await mesh.rig.store.list("mall", places.ASSERTIONS)).records) == 1
    await mesh.rig.apply({"name": "mall"})
    assert mesh.rig.operator is not None
    await mesh.rig.authority.removal.delete(mesh.rig.operator, "mall", "")
    assert (await mesh.rig.store.list("mall", places.ASSERTIONS)).records == ()


async def test_uses_are_in_no_memory(mesh: Mesh) -> None:
    """The mirror holds none: they are the store's affair."""
    await mesh.exchange("signer", assertion=mesh.own_assertion())
    assert mesh.rig.state.records("shop", places.ASSERTIONS) == {}


async def test_assertion_from_before_a_restore_is_refused(mesh: Mesh) -> None:
    """What was counted is forgotten then, so nothing of that time counts; without `iat`, nothing
    that may be of it.
    """
    early = mesh.own_assertion()
    now = int(mesh.rig.clock.now())
    floor = {"issued_before": now + 10, "revoked_at": now, "reason": "restored", "actor": "x"}
    revision = await mesh.rig.store.create(places.floor_place("shop"), floor)
    await mesh.rig.state.reached(revision)
    await mesh.rig.advance(10)
    assert await mesh.cause("signer", assertion=early) == "MANDATE_REVOKED"
    timeless = mesh.own_assertion(iat=None)
    assert await mesh.cause("signer", assertion=timeless) == "MANDATE_REVOKED"
    assert await mesh.authenticate("signer", assertion=mesh.own_assertion(jti="j-2"))


async def test_repeated_request_takes_another_assertion(mesh: Mesh) -> None:
    """Who lost the answer signs anew, and gets the same mandate."""
    first = await mesh.exchange("signer", assertion=mesh.own_assertion(), request_id="r-1")
    again = await mesh.exchange("signer", assertion=mesh.own_assertion(jti="j-2"), request_id="r-1")
    assert again.mandate.jti == first.mandate.jti


async def test_repeated_request_of_a_dead_mandate_is_decided_anew(mesh: Mesh) -> None:
    """With the one assertion that came with it, which counts once."""
    first = await mesh.exchange("signer", assertion=mesh.own_assertion(), request_id="r-1")
    await mesh.rig.authority.revocations.revoke(
        mesh.rig.operator, "shop", first.mandate.jti, "lost"
    )
    again = await mesh.exchange("signer", assertion=mesh.own_assertion(jti="j-2"), request_id="r-1")
    assert again.mandate.jti != first.mandate.jti


async def test_one_application_cannot_fill_the_store(mesh: Mesh) -> None:
    """RATE_LIMITED beyond so many a second; of others, and of what is refused, nothing is taken."""
    buckets = mesh.rig.authority.clients._workloads._once._buckets
    buckets.of(mesh.application("signer")).resize(1, 2)
    for number in range(2):
        assert await mesh.exchange("signer", assertion=mesh.own_assertion(jti=f"j-{number}"))
        forged = mesh.other.token(mesh.own_claims())
        await mesh.cause("signer", assertion=forged)
    with refused(Reason.RATE_LIMITED) as seen:
        await mesh.exchange("signer", assertion=mesh.own_assertion(jti="j-3"))
    assert seen.error.retry_after == 1
    assert len((await mesh.rig.store.list("shop", places.ASSERTIONS)).records) == 2
    assert await mesh.exchange("web", assertion=mesh.svid())
    assert await mesh.exchange("stranger", assertion=mesh.other.token(mesh.own_claims("stranger")))
    await mesh.rig.advance(1)
    assert await mesh.exchange("signer", assertion=mesh.own_assertion(jti="j-3"))


async def test_long_assertion_counts_as_many_short_ones(mesh: Mesh) -> None:
    """As many as could be remembered for as long: how much there is of it does not grow."""
    buckets = mesh.rig.authority.clients._workloads._once._buckets
    buckets.of(mesh.application("signer")).resize(1, MAX_ASSERTION_LIFE / SHORT_ASSERTION_LIFE)
    ends = int(mesh.rig.clock.now()) + MAX_ASSERTION_LIFE
    await mesh.authenticate("signer", assertion=mesh.own_assertion(exp=ends))
    with refused(Reason.RATE_LIMITED):
        await mesh.authenticate("signer", assertion=mesh.own_assertion(jti="j-2"))
    await mesh.rig.advance(1)
    assert await mesh.authenticate("signer", assertion=mesh.own_assertion(jti="j-2"))


async def crowd(meshes: list[Mesh], assertion: str) -> list[Any]:
    """What many are answered who show one assertion at a time, some at each replica."""
    shown = (
        meshes[number % len(meshes)].authenticate("signer", assertion=assertion)
        for number in range(CROWD)
    )
    return await asyncio.gather(*shown, return_exceptions=True)


async def test_one_of_many_is_first(any_rig: Rig) -> None:
    """Over memory and over a real etcd."""
    mesh = Mesh(any_rig)
    await any_rig.apply(mesh.zone())
    answers = await crowd([mesh], mesh.own_assertion())
    reasons = [getattr(each, "reason", "") for each in answers]
    assert reasons.count("") == 1
    assert reasons.count(Reason.CLIENT_AUTH_FAILED) == CROWD - 1


async def test_one_of_many_is_first_at_two_replicas(two: tuple[Rig, Rig]) -> None:
    """Half of them at each."""
    mesh = Mesh(two[0])
    applied = await two[0].apply(mesh.zone())
    await two[1].state.reached(applied.revision)
    other = Mesh(two[1], mesh.domain, mesh.cluster, mesh.own, mesh.other)
    answers = await crowd([mesh, other], mesh.own_assertion())
    assert [getattr(each, "reason", "") for each in answers].count("") == 1
