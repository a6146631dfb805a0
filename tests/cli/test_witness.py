"""`audit witness` and `audit integrity`, and a mandate with its receipt, as people run them."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.cli.audit.witness_key import open_key
from caracal_grpc.cli.audit.witness_memory import opened
from caracal_grpc.crypto.ledger_key import verify_ed25519
from caracal_grpc.ledger.notes.cosignature import WitnessKey, open_cosigned, witness_key
from caracal_grpc.ledger.notes.note import VerifierKey, open_checkpoint
from caracal_grpc.v1.audit_service_pb2 import GetCheckpointRequest
from tests.cli.conftest import Shop
from tests.cli.support import Dev, Ended, caracal
from tests.cli.support import Running as Process
from tests.support.authority import Running, Starter, eventually
from tests.support.shop import CARACAL
from tests.support.shop import shop as shop_zone
from tests.support.sweeps import edit_from_outside


@dataclass
class Watch:
    """A witness of the authority's own zone, and the authority that was told of it."""

    folder: Path
    start: Starter
    prefix: str = ""

    @property
    def key(self) -> Path:
        """The file of its key."""
        return self.folder / "witness.key"

    @property
    def state(self) -> Path:
        """The file of what it remembers."""
        return self.folder / "witness.json"

    @property
    def written(self) -> WitnessKey:
        """Its verifier key."""
        return witness_key(open_key(self.key, "witness.example/one"))

    async def authority(self, **more: str) -> Running:
        """A started authority, over the store and the ledger of the one before."""
        if self.prefix:
            more["etcd_prefix"] = self.prefix
        running = await self.start(witnesses=[str(self.written)], **more)
        self.prefix = running.server.settings.etcd_prefix
        running.profile.save(self.folder / "operator.json")
        return running

    async def round(self, *more: str) -> Ended:
        """One round, in a process of its own."""
        return await asyncio.to_thread(
            caracal,
            *("audit", "witness", "--state", self.state, "--key", self.key, "--once", "--json"),
            *more,
            profile=self.folder / "operator.json",
        )


@pytest.fixture
def watch(tmp_path: Path, start_authority: Starter) -> Watch:
    """A witness without memory."""
    return Watch(tmp_path, start_authority)


async def decide(authority: Running) -> None:
    """One entry more."""
    await authority.exchange("operator", CARACAL, zone="caracal")


async def checkpoint(authority: Running) -> Any:
    """What the authority shows of its own zone."""
    request = GetCheckpointRequest(zone="caracal")
    return await authority.stubs.audit.GetCheckpoint(request, metadata=await authority.operator())


async def test_a_witness_cosigns_what_only_grew(watch: Watch) -> None:
    """Round after round; what it cosigned is shown to everybody."""
    authority = await watch.authority()
    first = await watch.round()
    assert first.code == 0, first.err
    assert f"for the setting witnesses: {watch.written}\n" in first.err
    await decide(authority)
    second = await watch.round()
    assert second.json["size"] > first.json["size"]
    shown = (await checkpoint(authority)).cosigned
    assert (second.json["size"], second.json["root"]) == (shown.size, shown.root_hash.hex())
    log = VerifierKey.parse(shown.verifier_key)
    open_cosigned(shown.note, log, watch.written, verify_ed25519)
    kept = json.loads(watch.state.read_text())["logs"]["caracal"]
    assert (kept["verifier_key"], kept["fork"]) == (str(log), [])
    assert open_checkpoint(kept["note"], log, verify_ed25519).size == shown.size
    assert {each.stat().st_mode & 0o777 for each in (watch.key, watch.state)} == {0o600}
    again = await watch.round()
    assert again.code == 0


async def test_a_fork_is_shown_and_never_cosigned(watch: Watch) -> None:
    """A ledger that was put back and went on otherwise: both notes are kept, until it is told."""
    authority = await watch.authority()
    await authority.server.stop()
    older = shutil.copy(watch.folder / "ledger.db", watch.folder / "older.db")
    authority = await watch.authority()
    await decide(authority)
    seen = await watch.round()
    assert seen.code == 0, seen.err
    await authority.server.stop()
    shutil.copy(older, watch.folder / "ledger.db")
    authority = await watch.authority()
    smaller = await watch.round()
    assert smaller.code == 10, smaller.err
    for _ in range(6):
        await decide(authority)
    assert (await watch.round("--resume")).code == 0
    assert (await checkpoint(authority)).cosigned.size > seen.json["size"]


async def test_a_fork_that_is_larger_is_shown_by_its_proof(watch: Watch) -> None:
    """Its files are evidence by themselves: two signed notes of one log."""
    authority = await watch.authority()
    await authority.server.stop()
    older = shutil.copy(watch.folder / "ledger.db", watch.folder / "older.db")
    authority = await watch.authority()
    await decide(authority)
    seen = await watch.round()
    await authority.server.stop()
    shutil.copy(older, watch.folder / "ledger.db")
    authority = await watch.authority()
    for _ in range(6):
        await decide(authority)
    before = (await checkpoint(authority)).cosigned.size
    for _ in range(2):
        ended = await watch.round()
        assert (ended.code, ended.out) == (10, "")
        assert "FORK: the ledger of zone caracal contradicts a checkpoint" in ended.err
    notes = sorted(watch.folder.glob("witness.json.caracal.fork-*.note"))
    assert len(notes) == 2
    assert all(str(each) in ended.err for each in notes)
    log = VerifierKey.parse((await checkpoint(authority)).checkpoint.verifier_key)
    heads = [open_checkpoint(each.read_text(), log, verify_ed25519) for each in notes]
    assert heads[0].size == seen.json["size"] < heads[1].size
    assert (await checkpoint(authority)).cosigned.size == before


async def test_a_witness_goes_on_when_the_authority_is_back(watch: Watch) -> None:
    """While it is away that is said, and nothing is lost; SIGTERM ends it."""
    authority = await watch.authority()
    arguments = ("audit", "witness", "--state", watch.state, "--key", watch.key, "--every", "1")
    profile = str(watch.folder / "operator.json")
    running = await asyncio.to_thread(Process, *arguments, "--json", CARACAL_PROFILE=profile)
    try:
        assert running.json["cosigned"] is True
        await authority.server.stop()
        assert (await watch.round()).code == 3  # the other one runs
        alone = ("audit", "witness", "--state", watch.folder / "other", "--key", watch.key)
        away = await asyncio.to_thread(
            caracal, *alone, "--once", profile=watch.folder / "operator.json"
        )
        assert away.code == 5
        again = await watch.authority(listen=authority.address)
        await decide(again)
        size = (await checkpoint(again)).checkpoint.size

        async def is_cosigned() -> bool:
            return bool((await checkpoint(again)).cosigned.size >= size)

        await eventually(is_cosigned, timeout=60)
    finally:
        ended = await asyncio.to_thread(running.end)
    assert ended.code == -signal.SIGTERM
    assert "Traceback" not in ended.err


async def test_another_key_of_the_ledger_is_not_cosigned(watch: Watch) -> None:
    """Neither than it was told nor than it remembers: exit code 6."""
    authority = await watch.authority()
    own = (await checkpoint(authority)).checkpoint.verifier_key
    other = str(VerifierKey(own.partition("+")[0], watch.written.public))
    ended = await watch.round("--log-key", other)
    assert ended.code == 6
    assert "another key" in ended.err
    assert (await watch.round("--log-key", own)).code == 0
    text = watch.state.read_text()
    watch.state.write_text(text.replace(own, other))
    assert (await watch.round()).code == 6
    assert (await watch.round("--log-key", "nonsense")).code == 2


async def test_a_memory_is_of_one_witness_at_a_time(watch: Watch) -> None:
    """And one that was edited is refused, for who forgets cosigns forks."""
    await watch.authority()
    with opened(watch.state):
        ended = await watch.round()
    assert ended.code == 3
    assert "another witness runs" in ended.err
    watch.state.write_text("{}")
    watch.state.chmod(0o600)
    assert (await watch.round()).code == 2
    watch.key.write_text("PRIVATE+KEY+of+no+kind")
    assert (await watch.round()).code == 2


def test_the_key_of_a_witness_is_made_once(tmp_path: Path) -> None:
    """Later uses find it, whatever name they give."""
    first = open_key(tmp_path / "key", "a.example/one")
    again = open_key(tmp_path / "key", "another")
    assert (again.name, again.public) == ("a.example/one", first.public)
    assert again.sign(b"x") == first.sign(b"x")
    assert "PRIVATE" not in repr(first)


async def test_integrity_is_told(watch: Watch) -> None:
    """Exit code 0 while the ledger is whole, and 6 naming what is wrong when it is not."""
    authority = await watch.authority()
    await authority.apply(shop_zone())
    found = authority.server._authority
    assert found is not None
    await found.proving.sweeping.turn()
    ask = ("audit", "integrity", "--zone", "shop")
    profile = watch.folder / "operator.json"
    whole = await asyncio.to_thread(caracal, *ask, profile=profile)
    assert (whole.code, whole.err) == (0, "")
    assert "entries were checked" in whole.out
    edit = "UPDATE entries SET jti='mnd_1' WHERE zone='shop' AND idx=0"
    assert edit_from_outside(watch.folder / "ledger.db", edit) == 1
    await found.proving.sweeping.turn()
    told = await asyncio.to_thread(caracal, *ask, "--json", profile=profile)
    assert told.code == 6
    assert [each["kind"] for each in told.json["findings"]] == ["column"]
    assert "entry 0: column:" in (await asyncio.to_thread(caracal, *ask, profile=profile)).out


def test_a_mandate_comes_with_its_receipt(dev: Dev, shop: Shop, tmp_path: Path) -> None:
    """In a file that verifies offline. One that is there is left alone, and nothing is decided."""
    file = tmp_path / "receipt.json"
    issued = shop.as_agent("exchange", "resource://orders", "--receipt", file, "--json")
    assert issued.code == 0, issued.err
    assert file.stat().st_mode & 0o777 == 0o600
    verified = caracal("audit", "verify", file, "--json", HOME="/nonexistent")
    assert (verified.code, verified.json["verified"]) == (0, True), verified.err
    canonical = base64.b64decode(json.loads(file.read_text())["canonical"])
    assert json.loads(canonical)["id"] == issued.json["audit_id"]
    size = dev.run("audit", "search", "--zone", shop.zone, "--json").json["entries"][-1]["index"]
    again = shop.as_agent("exchange", "resource://orders", "--receipt", file)
    assert again.code == 2
    assert "exists" in again.line
    found = dev.run("audit", "search", "--zone", shop.zone, "--json").json["entries"][-1]["index"]
    assert found == size
