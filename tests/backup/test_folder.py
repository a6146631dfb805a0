"""A backup is whole, and nobody else's, or it is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from caracal_grpc.backup.capture import capture
from caracal_grpc.backup.folder import Folder
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from tests.support.rig import Rig


@pytest.fixture
async def taken(rig: Rig, tmp_path: Path) -> Folder:
    """A backup of the shop's authority."""
    await capture(rig.store, tmp_path / "ledger.db", tmp_path / "backup", rig.clock)
    return Folder(tmp_path / "backup")


async def test_it_is_its_owners_alone(taken: Folder) -> None:
    """The folder and each file of it."""
    modes = {each.name: each.stat().st_mode & 0o777 for each in taken.path.iterdir()}
    assert taken.path.stat().st_mode & 0o777 == 0o700
    assert modes == {"backup.json": 0o600, "state.jsonl": 0o600, "ledger.db": 0o600}


async def test_no_secret_is_in_it(taken: Folder, rig: Rig) -> None:
    """Neither a secret of an application nor a private key as it is."""
    content = b"".join(each.read_bytes() for each in taken.path.iterdir())
    secrets = [each.secret.encode() for each in rig.credentials.values()]
    private = [rig.keyring.signing_key(zone).private_bytes() for zone in ("shop", "caracal")]
    assert not [each for each in (*secrets, *private) if each in content]


@pytest.mark.parametrize("name", ["state.jsonl", "ledger.db"])
async def test_a_changed_file_shows(taken: Folder, name: str) -> None:
    """One byte is enough."""
    content = bytearray((taken.path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (taken.path / name).write_bytes(content)
    with pytest.raises(CaracalError, match="was changed") as caught:
        taken.header()
    assert caught.value.reason is Reason.FIELD_INVALID


@pytest.mark.parametrize("content", ["", "[]", "{}", "{"])
async def test_one_that_broke_off_is_none(taken: Folder, content: str) -> None:
    """The header is written last."""
    (taken.path / "backup.json").write_text(content)
    with pytest.raises(CaracalError, match="no whole backup"):
        taken.header()


async def test_one_of_a_later_release_is_refused(taken: Folder) -> None:
    """Rather than half understood."""
    header = json.loads((taken.path / "backup.json").read_text())
    (taken.path / "backup.json").write_text(json.dumps(header | {"format": 2}))
    with pytest.raises(CaracalError, match="another release"):
        taken.header()


async def test_nothing_is_overwritten(taken: Folder, rig: Rig, tmp_path: Path) -> None:
    """A folder that is there stays as it is."""
    with pytest.raises(CaracalError, match="name a new folder"):
        await capture(rig.store, tmp_path / "ledger.db", taken.path, rig.clock)
    assert taken.header().records > 0


async def test_a_zone_that_is_not_there(rig: Rig, tmp_path: Path) -> None:
    """Nothing is made."""
    with pytest.raises(CaracalError) as caught:
        await capture(rig.store, tmp_path / "ledger.db", tmp_path / "b", rig.clock, "nowhere")
    assert caught.value.reason is Reason.OBJECT_NOT_FOUND
    assert not (tmp_path / "b").exists()


async def test_a_ledger_that_is_not_there(rig: Rig, tmp_path: Path) -> None:
    """What is left of it is no backup."""
    with pytest.raises(CaracalError) as caught:
        await capture(rig.store, tmp_path / "no.db", tmp_path / "b", rig.clock)
    assert caught.value.reason is Reason.AUDIT_UNAVAILABLE
    with pytest.raises(CaracalError, match="no whole backup"):
        Folder(tmp_path / "b").header()
