"""A backup is whole, and nobody else's, or it is none."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from caracal_grpc.backup.capture import capture
from caracal_grpc.backup.folder import Folder, Header
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.kek import Kek
from caracal_grpc.crypto.key_encryption import Keks
from caracal_grpc.store.formats import VERSION
from tests.support.rig import Rig

KEKS = Keks(Kek.generate())


async def back_up(rig: Rig, target: Path, *, ledger: str = "ledger.db", zone: str = "") -> Header:
    """A backup in `target`, beside the ledger."""
    return await capture(rig.store, target.parent / ledger, target, KEKS, rig.clock, zone)


@pytest.fixture
async def taken(rig: Rig, tmp_path: Path) -> Folder:
    """A backup of the shop's authority."""
    await back_up(rig, tmp_path / "backup")
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


@pytest.mark.parametrize(
    "odd", [{"seal": None}, {"record_version": "2"}, {"format": []}, {"more": 1}]
)
async def test_one_whose_header_has_another_form_is_none(
    taken: Folder, odd: dict[str, object]
) -> None:
    """Nobody has vouched for it yet when it is read."""
    header = json.loads((taken.path / "backup.json").read_text())
    (taken.path / "backup.json").write_text(json.dumps(header | odd))
    with pytest.raises(CaracalError, match="no whole backup"):
        taken.header()


@pytest.mark.parametrize("later", [{"format": 3}, {"record_version": VERSION + 1}])
async def test_one_of_a_later_release_is_refused(taken: Folder, later: dict[str, int]) -> None:
    """Rather than half understood: the folder, or the records in it."""
    header = json.loads((taken.path / "backup.json").read_text())
    (taken.path / "backup.json").write_text(json.dumps(header | later))
    with pytest.raises(CaracalError, match="another release"):
        taken.header()


async def test_one_that_was_made_up_is_refused(taken: Folder) -> None:
    """Who does not have the key-encryption key changes nothing, whatever digests they write."""
    header = taken.header()
    taken.require_ours(header, KEKS)
    lines = (taken.path / "state.jsonl").read_text().replace("agent", "angel")
    (taken.path / "state.jsonl").write_text(lines)
    digest = hashlib.sha256(lines.encode()).hexdigest()
    made_up = json.loads((taken.path / "backup.json").read_text()) | {"state_digest": digest}
    (taken.path / "backup.json").write_text(json.dumps(made_up))
    with pytest.raises(CaracalError, match="was changed since it was sealed"):
        taken.require_ours(taken.header(), KEKS)


@pytest.mark.parametrize("seal", [{}, {"kek_id": "0" * 16}, None])
async def test_one_without_a_seal_of_ours_is_refused(
    taken: Folder, seal: dict[str, str] | None
) -> None:
    """None at all, another one, or one under a key that we do not have."""
    keks = KEKS if seal is not None else Keks(Kek.generate())
    header = taken.header() if seal is None else replace(taken.header(), seal=seal)
    with pytest.raises(CaracalError, match="another key-encryption key, or changed") as caught:
        taken.require_ours(header, keks)
    assert caught.value.reason is Reason.FIELD_INVALID


async def test_nothing_is_overwritten(taken: Folder, rig: Rig) -> None:
    """A folder that is there stays as it is."""
    with pytest.raises(CaracalError, match="name a new folder"):
        await back_up(rig, taken.path)
    assert taken.header().records > 0


async def test_a_zone_that_is_not_there(rig: Rig, tmp_path: Path) -> None:
    """Nothing is made."""
    with pytest.raises(CaracalError) as caught:
        await back_up(rig, tmp_path / "b", zone="nowhere")
    assert caught.value.reason is Reason.OBJECT_NOT_FOUND
    assert not (tmp_path / "b").exists()


async def test_a_ledger_that_is_not_there(rig: Rig, tmp_path: Path) -> None:
    """What is left of it is no backup."""
    with pytest.raises(CaracalError) as caught:
        await back_up(rig, tmp_path / "b", ledger="no.db")
    assert caught.value.reason is Reason.AUDIT_UNAVAILABLE
    with pytest.raises(CaracalError, match="no whole backup"):
        Folder(tmp_path / "b").header()
