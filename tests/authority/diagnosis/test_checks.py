"""Each check tells what is wrong with its part, and what to do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.authority.diagnosis.ground import Ground
from caracal_grpc.authority.diagnosis.zone import edges
from caracal_grpc.authority.revocation.feed import QUEUE
from caracal_grpc.authority.state import places
from caracal_grpc.crypto.certificate import certificate_facts
from caracal_grpc.store.etcd import EtcdStore
from caracal_grpc.store.health import StoreHealth, StoreMember
from caracal_grpc.store.port import Put
from tests.authority.diagnosis.patient import FAILED, OK, WARNING, found, operator
from tests.authority.revocation.failing import FailingStore
from tests.authority.revocation.waiters import edge, until
from tests.support.clock import FakeClock
from tests.support.etcd import EtcdProcess
from tests.support.etcd_tls import CertificateAuthority
from tests.support.quota import TINY_QUOTA, exhaust
from tests.support.rig import Rig, open_rig, settle

GIB = 1 << 30
MEMBER = StoreMember("a:2379", release="3.6.1", size=GIB // 2, in_use=GIB // 4, leads=True)


@dataclass
class SickStore:
    """A store that says of itself what it is told to, and does all else as before."""

    store: Any
    health_now: StoreHealth

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def health(self) -> StoreHealth:
        """What it is told to say."""
        return self.health_now


def store_of(rig: Rig, *members: StoreMember, cluster: int = 0) -> SickStore:
    """The rig's, with these members."""
    return SickStore(rig.store, StoreHealth(members, cluster))


async def test_an_endpoint_that_is_silent_is_named(rig: Rig) -> None:
    """A warning while others answer, and the end when none does."""
    silent = StoreMember("b:2379", answered=False)
    some = (await found(rig, store=store_of(rig, MEMBER, silent, cluster=3)))["etcd.members"]
    assert some.status is WARNING
    assert some.detail == "1 of 2 endpoints answer, the cluster has 3 members, not b:2379"
    none = await found(rig, store=store_of(rig, silent))
    assert none["etcd.members"].status is FAILED
    assert none["etcd.quota"].detail == "no endpoint of etcd answers (STORE_UNAVAILABLE)"
    assert none["etcd.quota"].advice


async def test_no_leader_is_a_failure(rig: Rig) -> None:
    """Nothing can be written without one."""
    alone = replace(MEMBER, leads=False, alarms=("etcdserver: no leader",))
    member = (await found(rig, store=store_of(rig, alone)))["etcd.members"]
    assert member.status is FAILED
    assert "majority" in member.advice


@pytest.mark.parametrize(
    ("size", "quota", "status"),
    [(GIB, 0, OK), (GIB * 17 // 10, 0, WARNING), (2 * GIB, 0, FAILED), (3 * GIB, 8 * GIB, OK)],
)
async def test_a_full_member_is_told_before_it_is_full(
    rig: Rig, size: int, quota: int, status: Any
) -> None:
    """By its own quota, or by etcd's default for a release that does not tell."""
    fullest = replace(MEMBER, size=size, quota=quota)
    told = (await found(rig, store=store_of(rig, MEMBER, fullest)))["etcd.quota"]
    assert told.status is status
    assert ("assumed" in told.detail) == (quota == 0)
    assert ("defrag" in told.advice) == (status is not OK)


async def test_a_leaky_release_says_which_to_run(rig: Rig) -> None:
    """A warning: it works, for now."""
    old = replace(MEMBER, release="3.5.1")
    told = (await found(rig, store=store_of(rig, MEMBER, old)))["etcd.release"]
    assert told.status is WARNING
    assert "3.5.18" in told.advice


async def test_a_damaged_member_is_a_failure(rig: Rig) -> None:
    """With what to do about its alarm."""
    told = await found(rig, store=store_of(rig, replace(MEMBER, alarms=("CORRUPT",))))
    assert told["etcd.alarms"].status is FAILED
    assert "remove that member" in told["etcd.alarms"].advice


async def test_an_etcd_without_room_is_told(tmp_path: Path, clock: FakeClock) -> None:
    """The alarm and the write that fails; what else works is told to work."""
    async with EtcdProcess(tmp_path / "etcd", arguments=TINY_QUOTA) as process:
        store = EtcdStore(process.settings(), clock)
        try:
            async with open_rig(tmp_path, store, clock) as rig:
                await settle(rig)
                await exhaust(process)
                told = await found(rig)
        finally:
            await store.close()
    assert told["etcd.alarms"].status is FAILED
    assert told["etcd.alarms"].detail == "NOSPACE"
    assert "alarm disarm" in told["etcd.alarms"].advice
    assert told["etcd.write"].status is FAILED
    assert told["etcd.read"].status is OK
    assert told["ledger.append"].status is OK


async def test_a_write_that_fails_is_told(rig: Rig) -> None:
    """The replica cannot even say that it runs."""
    failing = FailingStore(rig.store)
    failing.left = 0
    rig.authority._replicas._store = failing  # type: ignore[assignment]
    told = (await found(rig))["etcd.write"]
    assert told.status is FAILED
    assert "STORE_UNAVAILABLE" in told.detail


async def test_a_ledger_that_is_closed_is_told(rig: Rig) -> None:
    """Each of its checks says so."""
    await rig.ledger.close()
    told = await found(rig)
    for name in ("append", "tree", "space"):
        assert told[f"ledger.{name}"].status is FAILED, name
        assert "AUDIT_UNAVAILABLE" in told[f"ledger.{name}"].detail


@dataclass
class FullDisk:
    """A ledger whose disk has little room."""

    ledger: Any
    free: int

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ledger, name)

    async def free_bytes(self) -> int:
        """What is left."""
        return self.free


@pytest.mark.parametrize(("free", "status"), [(2 * GIB, OK), (GIB // 2, WARNING), (1, FAILED)])
async def test_a_disk_that_fills_is_told(rig: Rig, free: int, status: Any) -> None:
    """Before it is full."""
    told = (await found(rig, ledger=FullDisk(rig.ledger, free)))["ledger.space"]
    assert told.status is status
    assert bool(told.advice) == (status is not OK)


async def test_a_checkpoint_of_another_key_is_told(rig: Rig) -> None:
    """It is a ledger that somebody else signed."""
    other = rig.authority.diagnostics._parts.signers("caracal")

    def signers(_: str) -> Any:
        return other

    told = (await found(rig, signers=signers))["ledger.tree"]
    assert told.status is FAILED
    assert "audit verify" in told.advice


@dataclass
class Tampered:
    """A ledger whose newest entries are not what was written."""

    ledger: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ledger, name)

    async def search(self, *arguments: Any, **options: Any) -> Any:
        """What is found, with other bytes."""
        page = await self.ledger.search(*arguments, **options)
        return replace(page, entries=[replace(each, canonical=b"{}") for each in page.entries])


async def test_an_entry_that_was_changed_is_told(rig: Rig) -> None:
    """The file is to be kept, and looked at."""
    told = (await found(rig, ledger=Tampered(rig.ledger)))["ledger.tree"]
    assert told.status is FAILED
    assert "audit verify" in told.advice


async def test_an_edge_that_lags_is_told_before_it_is_lost(rig: Rig) -> None:
    """When what waits for it is half of what it may be."""
    async with edge(rig):
        (subscriber,) = rig.authority.feed._subscribers.values()
        ground = Ground(rig.authority.diagnostics._parts, operator(rig), rig.state.zone("shop"))
        while subscriber.queue.qsize() * 2 < QUEUE:
            assert (await edges(ground)).status is OK
            subscriber.offer(rig.authority.feed.beat(1))
        assert (await edges(ground)).status is WARNING


async def test_edges_are_counted_and_the_slowest_is_told(rig: Rig) -> None:
    """One that reads is no trouble; one that lost the thread is."""
    async with edge(rig):
        told = (await found(rig))["feed.edges"]
        assert (told.status, told.detail[:7]) == (OK, "1 edge,")
        (subscriber,) = rig.authority.feed._subscribers.values()
        while not subscriber.behind:
            subscriber.offer(rig.authority.feed.beat(1))
        parts = rig.authority.diagnostics._parts
        slow = await edges(Ground(parts, operator(rig), rig.state.zone("shop")))
        assert slow.status is WARNING
        assert "1 must begin anew" in slow.detail


async def test_a_zone_without_policy_grants_nothing(rig: Rig) -> None:
    """That is a warning: it may be meant."""
    await rig.apply({"name": "bare", "applications": [{"name": "a"}]})
    told = await found(rig, "bare")
    assert told["policy.active"].status is WARNING
    assert told["policy.replicas"].status is OK


async def test_a_frozen_zone_is_told(rig: Rig) -> None:
    """So that nobody wonders long."""
    place = places.zone_place("shop")
    revision = await rig.store.update(place, lambda value: {**value, "frozen": True})
    await rig.state.reached(revision)
    told = (await found(rig))["policy.active"]
    assert told.status is WARNING
    assert "frozen" in told.detail


async def test_a_replica_that_cannot_use_the_policy_is_named(rig: Rig) -> None:
    """With why, and the way back; one that compiles still is a warning."""
    record = rig.state.record(places.policy_place("shop"))
    assert record is not None
    version, own = record.value["active"], rig.authority._replicas.own
    said = {"replica": own, "version": version, "state": "failed", "detail": "too large", "at": 0.0}
    place = places.policy_load_place("shop", own)
    await rig.state.reached(await rig.store.commit([Put(place, said)]))
    broken = (await found(rig))["policy.replicas"]
    assert broken.status is FAILED
    assert broken.detail == f"{own} cannot use it: too large"
    loading = {**said, "state": "loading"}
    await rig.state.reached(await rig.store.commit([Put(place, loading)]))
    late = (await found(rig))["policy.replicas"]
    assert late.status is WARNING
    assert own in late.detail


async def test_a_key_that_signs_too_long_is_told(rig: Rig) -> None:
    """Once its rotation is a day late."""
    assert (await found(rig))["keys.signing"].status is OK
    rig.clock.advance(32 * 86_400)
    await rig.fresh()
    rig.operator = await rig.caller("operator", "caracal")
    told = (await found(rig))["keys.signing"]
    assert told.status is WARNING
    assert "keys rotate" in told.advice


async def test_a_zone_without_a_key_that_signs_is_a_failure(rig: Rig) -> None:
    """Nothing can be issued."""
    (report,) = rig.keyring.report("shop")
    place = places.key_place("shop", report.key.times.kid)
    await rig.state.reached(await rig.store.delete(place))
    assert (await found(rig))["keys.signing"].status is FAILED


async def test_a_pending_key_is_told(rig: Rig) -> None:
    """As what follows."""
    await rig.authority.keys.rotate(await rig.caller("operator", "caracal"), "shop")
    told = (await found(rig))["keys.signing"]
    assert told.status is OK
    assert "follows in 15 s" in told.detail


@dataclass
class Keys:
    """A keyring that says of itself what it is told to, and does all else as before."""

    keyring: Any
    count: int = 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self.keyring, name)

    def key_set(self, zone: str) -> list[Any]:
        """As many as it is told."""
        return [*self.keyring.key_set(zone)] * self.count


@pytest.mark.parametrize(("count", "status"), [(23, OK), (24, WARNING), (32, WARNING)])
async def test_too_many_keys_are_told(rig: Rig, count: int, status: Any) -> None:
    """Before there is no room for the next one."""
    told = (await found(rig, keyring=Keys(rig.keyring, count=count)))["keys.verifying"]
    assert told.status is status
    assert told.detail == f"{count} keys of at most 32"


@pytest.mark.parametrize("kind", [places.KEYS, places.LEDGER_KEYS])
async def test_a_key_under_an_older_key_encryption_key_is_told(rig: Rig, kind: str) -> None:
    """It is to be sealed anew before the older one is taken away, whatever it signs."""
    assert (await found(rig))["keys.sealed"].status is OK
    (record,) = rig.state.records("shop", kind).values()
    sealed = {**record.value["sealed"], "kek_id": "older"}
    revision = await rig.store.commit([Put(record.key, {**record.value, "sealed": sealed})])
    await rig.state.reached(revision)
    told = (await found(rig))["keys.sealed"]
    assert told.status is WARNING
    assert "keys reseal" in told.advice


@pytest.mark.parametrize(
    ("after", "status"), [(0, OK), (0.7, WARNING), (0.95, FAILED), (1.1, FAILED)]
)
async def test_the_certificate_of_the_server_is_watched(
    rig: Rig, after: float, status: Any
) -> None:
    """`after` is how much of its life of a day, and an hour before, is over."""
    pem, _ = CertificateAuthority().issue("server")
    facts = certificate_facts(pem)
    rig.clock.wall = facts.begins + after * (facts.ends - facts.begins)
    told = (await found(rig, certificate=lambda: pem))["tls.certificate"]
    assert told.status is status
    assert bool(told.advice) == (status is not OK)


async def test_a_replica_that_serves_others_should_not_be_alone(rig: Rig) -> None:
    """Plaintext is for one machine, where one is enough."""
    assert (await found(rig))["authority.replicas"].status is OK
    pem, _ = CertificateAuthority().issue("server")
    alone = (await found(rig, certificate=lambda: pem))["authority.replicas"]
    assert alone.status is WARNING
    assert "run another one" in alone.advice


async def test_a_stale_view_is_a_failure(rig: Rig) -> None:
    """The store has not proven for too long that nothing is missing."""
    await rig.mirror.close()
    rig.clock.advance(4)
    assert (await found(rig))["authority.view"].status is WARNING
    rig.clock.advance(4)
    assert (await found(rig))["authority.view"].status is FAILED


@pytest.mark.parametrize(("ahead", "status"), [(0.5, OK), (-3.0, WARNING), (40.0, FAILED)])
async def test_the_clocks_of_replicas_are_compared(
    rig: Rig, tmp_path: Path, ahead: float, status: Any
) -> None:
    """Each tells its time with its sign of life."""
    skewed = FakeClock(rig.clock.wall + ahead, rig.clock.ticks)
    kek = rig.keyring.vault.keks.current
    async with open_rig(tmp_path, rig.store, skewed, kek=kek, ledger="other") as other:
        await until(rig.authority._replicas.ahead)
        told = await found(rig)
    assert told["authority.clocks"].status is status
    assert other.authority._replicas.own in told["authority.clocks"].detail
    assert told["authority.replicas"].detail.startswith("2 replicas")
