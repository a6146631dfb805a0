"""The first start: whatever ends it, the next one makes an operator whose profile works."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from unittest.mock import patch

import grpc.aio
import pytest

from caracal_grpc import first_start
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.zones.bootstrap import needs_bootstrap
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.ledger.sql import SqlLedger
from caracal_grpc.server import Server
from caracal_grpc.settings.serve import ServeSettings
from caracal_grpc.store.etcd import EtcdStore
from caracal_grpc.store.port import Delete
from caracal_grpc.store.refusal import unavailable
from tests.support.authority import Client, serve_values
from tests.support.etcd import EtcdProcess
from tests.support.refusals import refused
from tests.support.shop import CARACAL


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_start, "_PATIENCE", 0.1)


async def start_and_use(values: dict[str, Any]) -> Profile:
    """Starts a server, and makes a call with the operator's profile."""
    server = Server(ServeSettings.load(values))
    address = await server.start()
    try:
        saved = Profile.load(values["bootstrap_profile"])
        async with grpc.aio.insecure_channel(address) as channel:
            caller = Client(saved, channel)
            assert (await caller.exchange("operator", CARACAL, zone="caracal")).mandate
        assert server._authority is not None
        assert not needs_bootstrap(server._authority.state)
    finally:
        await server.stop()
    return saved


async def start_fails(values: dict[str, Any], reason: Reason) -> list[str]:
    """Starts a server that does not, and leaves nothing open; returns the fields that are named."""
    before = asyncio.all_tasks()
    with refused(reason) as seen:
        await Server(ServeSettings.load(values)).start()
    assert asyncio.all_tasks() <= before
    return seen.fields


async def test_ledger_that_is_down(tmp_path: Path, etcd: EtcdProcess) -> None:
    """The zone is made and not recorded, so nobody has the secret: the next start makes another."""
    values = serve_values(tmp_path, etcd)

    async def fail(*_: Any) -> None:
        raise CaracalError(Reason.AUDIT_UNAVAILABLE, "the disk is full")

    with patch.object(SqlLedger, "append", fail):
        await start_fails(values, Reason.AUDIT_UNAVAILABLE)
    assert not values["bootstrap_profile"].exists()
    await start_and_use(values)


@pytest.mark.parametrize("carried_out", [False, True])
@pytest.mark.parametrize("ending", [False, True])
async def test_store_that_fails(
    tmp_path: Path, etcd: EtcdProcess, carried_out: bool, ending: bool
) -> None:
    """At the commit that makes the zone or at the one that ends it, done or not."""
    values = serve_values(tmp_path, etcd)
    commit = EtcdStore.commit

    async def fail(self: EtcdStore, changes: Any, expects: Any = ()) -> int:
        if ending and not isinstance(changes[0], Delete):
            return await commit(self, changes, expects)
        if carried_out:
            await commit(self, changes, expects)
        raise unavailable("the store is gone")

    with patch.object(EtcdStore, "commit", fail):
        await start_fails(values, Reason.STORE_UNAVAILABLE)
    assert values["bootstrap_profile"].exists() is ending
    await start_and_use(values)


async def test_start_that_is_cancelled(tmp_path: Path, etcd: EtcdProcess) -> None:
    """As a process is that is stopped while it records; what it has begun it ends."""
    values = serve_values(tmp_path, etcd)
    recording, end = asyncio.Event(), asyncio.Event()

    async def fail(*_: Any) -> None:
        recording.set()
        await end.wait()
        raise CaracalError(Reason.AUDIT_UNAVAILABLE, "the ledger is closed")

    with patch.object(SqlLedger, "append", fail):
        starting = asyncio.ensure_future(Server(ServeSettings.load(values)).start())
        await recording.wait()
        starting.cancel()
        end.set()
        with pytest.raises(asyncio.CancelledError):
            await starting
    await start_and_use(values)


async def test_operator_is_made_anew_with_a_place_for_it(tmp_path: Path, etcd: EtcdProcess) -> None:
    """A start that was not ended still needs `bootstrap_profile`, even with another ledger."""
    values = serve_values(tmp_path, etcd)
    with patch.object(Profile, "save", side_effect=OSError("no room")):
        assert await start_fails(values, Reason.FIELD_INVALID) == ["bootstrap_profile"]
    without = {name: value for name, value in values.items() if name != "bootstrap_profile"}
    assert await start_fails(without, Reason.FIELD_INVALID) == ["bootstrap_profile"]
    await start_and_use(values)


async def test_profile_that_is_there_is_not_replaced(tmp_path: Path, etcd: EtcdProcess) -> None:
    """A mistyped prefix must not cost the only operator of another one its credential."""
    values = serve_values(tmp_path, etcd)
    saved = await start_and_use(values)
    other = serve_values(tmp_path, etcd, ledger=tmp_path / "other.db")
    assert await start_fails(other, Reason.FIELD_INVALID) == ["bootstrap_profile"]
    assert Profile.load(values["bootstrap_profile"]) == saved
    values["bootstrap_profile"].rename(tmp_path / "away.json")
    await start_and_use(other)


async def test_unended_start_does_not_replace_a_file_either(
    tmp_path: Path, etcd: EtcdProcess
) -> None:
    """A file that came between, or that holds a secret of before."""
    values = serve_values(tmp_path, etcd)

    async def fail(*_: Any) -> None:
        raise CaracalError(Reason.AUDIT_UNAVAILABLE, "the disk is full")

    with patch.object(SqlLedger, "append", fail):
        await start_fails(values, Reason.AUDIT_UNAVAILABLE)
    values["bootstrap_profile"].write_text("mine")
    assert await start_fails(values, Reason.FIELD_INVALID) == ["bootstrap_profile"]
    assert values["bootstrap_profile"].read_text() == "mine"
    values["bootstrap_profile"].unlink()
    await start_and_use(values)


async def test_replica_waits_for_the_one_that_was_first(
    tmp_path: Path, etcd: EtcdProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its commit and its profile it is not taken for dead; one profile, and it works."""
    monkeypatch.setattr(first_start, "_PATIENCE", 60.0)
    values = serve_values(tmp_path, etcd)
    recording, waiting, go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()
    append, another_replica = SqlLedger.append, first_start._another_replica

    async def wait(self: SqlLedger, entry: Any) -> Any:
        recording.set()
        await go_on.wait()
        return await append(self, entry)

    async def waited(state: State) -> None:
        waiting.set()
        await another_replica(state)

    servers = [
        Server(ServeSettings.load(values | {"ledger": tmp_path / f"{number}.db"}))
        for number in range(2)
    ]
    with patch.object(SqlLedger, "append", wait):
        first = asyncio.ensure_future(servers[0].start())
        await recording.wait()
        monkeypatch.setattr(first_start, "_another_replica", waited)
        monkeypatch.setattr(first_start, "bootstrap", None)  # nobody else begins
        second = asyncio.ensure_future(servers[1].start())
        async with asyncio.timeout(30):
            await waiting.wait()
            go_on.set()
            addresses = await asyncio.gather(first, second)
    try:
        saved = Profile.load(values["bootstrap_profile"])
        for address in addresses:
            async with grpc.aio.insecure_channel(address) as channel:
                caller = Client(saved, channel)
                assert (await caller.exchange("operator", CARACAL, zone="caracal")).mandate
    finally:
        for server in servers:
            await server.stop()


async def test_replica_that_was_taken_for_dead_gives_in(tmp_path: Path, etcd: EtcdProcess) -> None:
    """The secret of the other one is the one that counts, and its profile is not overwritten."""
    values = serve_values(tmp_path, etcd)
    recording, go_on = asyncio.Event(), asyncio.Event()
    append = SqlLedger.append

    async def wait(self: SqlLedger, entry: Any) -> Any:
        if not recording.is_set():
            recording.set()
            await go_on.wait()
        return await append(self, entry)

    slow = values | {"ledger": tmp_path / "slow.db"}
    with patch.object(SqlLedger, "append", wait):
        starting = asyncio.ensure_future(start_fails(slow, Reason.FIELD_INVALID))
        await recording.wait()
        saved = await start_and_use(values)
        go_on.set()
        assert await starting == ["bootstrap_profile"]
    assert Profile.load(values["bootstrap_profile"]) == saved
    assert await start_and_use(values) == saved
