"""What an earlier release stored, every kind that lasts, is read by this one and goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from etcd3aio.kv import KVService

from caracal_grpc.authority.exchange.case import ExchangeRequest
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.floor import issued_before
from caracal_grpc.authority.state.liveness import was_revoked
from caracal_grpc.authority.upstreams.kind import secret_place
from caracal_grpc.backup.kinds import KEPT
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.kek import Kek
from caracal_grpc.store.codec import UnreadableError, decode
from caracal_grpc.store.etcd import EtcdStore
from caracal_grpc.store.formats import VERSION
from tests.support.clock import FakeClock
from tests.support.etcd import EtcdProcess
from tests.support.rig import Rig, open_rig
from tests.support.shop import ORDERS, PAYMENTS

STORED = Path(__file__).parents[2] / "support" / "stored"
KEK = Kek.of(hashlib.sha256(b"the key of the golden store").digest())


@dataclass(frozen=True)
class Earlier:
    """An authority of today over what version `number` stored, and what that version handed out."""

    rig: Rig
    said: dict[str, Any]

    def request(self, name: str, resource: str, *scopes: str, **more: Any) -> ExchangeRequest:
        """An exchange with the secret that the earlier release made."""
        application, secret = self.said["secrets"][f"shop/{name}"]
        return ExchangeRequest("shop", application, secret, resource, frozenset(scopes), **more)

    async def refusal(self, request: ExchangeRequest) -> Reason:
        """Why it is refused."""
        with pytest.raises(CaracalError) as caught:
            await self.rig.authority.exchange.issue(request)
        return caught.value.reason


def stored(number: int) -> dict[str, Any]:
    """The whole store that version `number` of the format wrote, and the secrets of its shop."""
    found: dict[str, Any] = json.loads((STORED / f"v{number}.json").read_text())
    return found


def test_every_older_version_is_kept() -> None:
    """A new format comes with what the one before it wrote."""
    assert [path.name for path in sorted(STORED.glob("v*.json"))] == [
        f"v{number}.json" for number in range(1, VERSION)
    ]


LATER: Final = {
    1: {places.APPLIES, places.OWED, places.POLICY_VERSIONS, places.POLICY_PARTS},
    2: set[str](),
    3: set[str](),
}
"""Kinds that last and came after a format did."""
SINCE_3: Final = {places.UPSTREAMS, places.UPSTREAM_SECRETS, places.WORKLOAD_ISSUERS}


@pytest.mark.parametrize("number", range(1, VERSION))
def test_every_kind_that_lasts_is_among_what_was_stored(number: int) -> None:
    """All that a backup keeps; the rest is over, or said anew, when a release is replaced."""
    there = {kind for _, kind, _, _ in stored(number)["records"]}
    later = LATER[number] | (SINCE_3 if number < 3 else set())
    assert set(KEPT) - there == later


@pytest.fixture(params=range(1, VERSION), ids=lambda number: f"v{number}")
async def earlier(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock, etcd: EtcdProcess
) -> AsyncIterator[Earlier]:
    """The bytes of an earlier release in a real etcd, and an authority started on them."""
    said = stored(request.param)
    settings = etcd.settings()
    async with etcd.kv() as kv:
        await fill(kv, settings.prefix, said["records"])
    store = EtcdStore(settings, clock)
    try:
        async with open_rig(tmp_path, store, clock, kek=KEK) as rig:
            yield Earlier(rig, said)
    finally:
        await store.close()


async def fill(kv: KVService, prefix: str, records: list[Any]) -> None:
    """Puts records where their keys say."""
    for zone, kind, name, value in records:
        await kv.put(f"/{prefix}/v1/{zone}/{kind}/{name}".encode(), json.dumps(value).encode())


async def test_secrets_and_policy_go_on(earlier: Earlier) -> None:
    """A secret of then obtains a mandate of now, by the policy of then, under a key of then."""
    issued = await earlier.rig.authority.exchange.issue(
        earlier.request("agent", ORDERS, "orders:place")
    )
    kids = [
        name for zone, kind, name, _ in earlier.said["records"] if (zone, kind) == ("shop", "keys")
    ]
    assert issued.mandate.kid in kids
    refused = await earlier.refusal(earlier.request("agent", ORDERS, "orders:track"))
    assert refused is Reason.POLICY_DENIED


async def test_mandates_of_then_are_accepted(earlier: Earlier) -> None:
    """What was handed out before the upgrade is not cut by it."""
    issued = await earlier.rig.authority.exchange.issue(
        earlier.request(
            "orders", PAYMENTS, "payments:charge", subject_token=earlier.said["mandate"]
        )
    )
    assert issued.mandate.hops == 1


async def test_who_was_stopped_stays_stopped(earlier: Earlier) -> None:
    """The revoked application has no credential, and the suspended session is not active."""
    bounded = earlier.request("bounded", ORDERS, "orders:place")
    assert await earlier.refusal(bounded) is Reason.CLIENT_AUTH_FAILED
    paused = earlier.request("agent", ORDERS, session=earlier.said["suspended"])
    assert await earlier.refusal(paused) is Reason.SESSION_NOT_ACTIVE


async def test_what_was_revoked_stays_so(earlier: Earlier) -> None:
    """Every anchor, what is older than the floor, and whatever was begun for a user before."""
    state, records = earlier.rig.state, earlier.said["records"]
    (floor,) = (value for _, kind, _, value in records if kind == places.FLOORS)
    (user,) = (name for _, kind, name, _ in records if kind == places.SUBJECTS)
    assert state.dead("shop") == {n for _, kind, n, _ in records if kind == places.REVOCATIONS}
    assert issued_before(state, "caracal") == floor["issued_before"]
    assert was_revoked(state, "shop", user, floor["revoked_at"])
    assert not was_revoked(state, "shop", user, floor["revoked_at"] + 60)


async def test_sessions_and_delegations_live_on(earlier: Earlier) -> None:
    """The agent's task, and what it passed on to orders."""
    issue = earlier.rig.authority.exchange.issue
    task = await issue(
        earlier.request("agent", ORDERS, "orders:place", session=earlier.said["task"])
    )
    assert task.mandate.session == earlier.said["task"]
    landed = earlier.request("orders", ORDERS, "orders:place", session=earlier.said["delegation"])
    assert (await issue(landed)).mandate.chain[-1].delegation


async def test_who_waits_for_an_approval_waits_for_the_same(earlier: Earlier) -> None:
    """But for a policy of before there were versions, which has another name now."""
    with pytest.raises(CaracalError) as caught:
        await earlier.rig.authority.exchange.issue(
            earlier.request("agent", PAYMENTS, "payments:refund")
        )
    assert caught.value.reason is Reason.STEP_UP_REQUIRED
    kept = {kind: value for _, kind, _, value in earlier.said["records"]}
    same = caught.value.metadata["approval_id"] == kept[places.HELD]["approval"]
    assert same is (places.POLICY_VERSIONS in kept)


async def test_everything_can_be_read(earlier: Earlier) -> None:
    """Each kind by the function that reads it today."""
    state, rig = earlier.rig.state, earlier.rig
    assert {each.name for each in state.zones()} == {"caracal", "shop"}
    assert len(state.applications("shop")) == 4
    assert [each.name for each in state.issuers("shop")] == ["corp"]
    assert [each.name for each in state.proof_systems("shop")] == ["vault"]
    assert [each.name for each in state.webhooks("shop")] == ["hook"]
    assert len(state.approvals("shop")) == 1
    assert len(state.sessions("shop")) == 7
    assert len(rig.keyring.report("caracal")) == 2
    assert state.resources("shop")
    assert rig.keyring.ledger_key("shop")


async def test_what_was_owed_is_recorded(earlier: Earlier) -> None:
    """A change of then whose entry no ledger had yet."""
    debts = [value for _, kind, _, value in earlier.said["records"] if kind == places.OWED]
    rig = earlier.rig
    await rig.advance(31)
    await rig.authority.debts.settle()
    recorded = [each.id for each in await rig.entries() if each.type == "zone.freeze"]
    assert recorded == [each["entry"]["id"] for each in debts]
    assert not (await rig.store.list("caracal", places.OWED)).records


async def test_who_is_believed_and_reached_is_read(earlier: Earlier) -> None:
    """Issuers of workloads, and credentials of upstreams with what is sealed of them."""
    state, rig = earlier.rig.state, earlier.rig
    stored_kinds = {kind for _, kind, _, _ in earlier.said["records"]}
    there = places.UPSTREAMS in stored_kinds
    assert [each.name for each in state.workload_issuers("shop")] == ["cluster"] * there
    assert [each.name for each in state.upstreams("shop")] == ["crm"] * there
    for each in state.upstreams("shop"):
        assert rig.keyring.vault.open(secret_place("shop", each)) == b"hunter2-of-then"


def test_a_later_version_cannot_be_read() -> None:
    """It may say what this release would overlook."""
    with pytest.raises(UnreadableError, match="not of a format version"):
        decode("zones", json.dumps({"v": VERSION + 1}).encode())


def test_a_damaged_older_value_cannot_be_read() -> None:
    """What does not have the form of its version is not guessed at."""
    with pytest.raises(UnreadableError, match="no value of format version 1"):
        decode("applications", b'{"v": 1}')
