"""A key-encryption key is 32 random bytes in a private file."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.crypto.kek import Kek

MATERIAL = bytes.fromhex("8f1c0ab3d5e2477690a4fe13c86b2d5701397ecc45aa6810f2bd9b34e7d06c5a")


def kek_file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    """A file with `content` and `mode`."""
    path = folder / "kek"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    "content",
    [
        MATERIAL,
        MATERIAL.hex().encode(),
        MATERIAL.hex().upper().encode() + b"\n",
        base64.b64encode(MATERIAL) + b"\n",
        base64.urlsafe_b64encode(MATERIAL),
        base64.urlsafe_b64encode(MATERIAL).rstrip(b"="),
    ],
    ids=["raw", "hex", "HEX", "base64", "base64url", "unpadded"],
)
@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_forms_load(tmp_path: Path, content: bytes, mode: int) -> None:
    """The same key in each form, from files for the owner alone."""
    assert Kek.load(kek_file(tmp_path, content, mode)).material == MATERIAL


def test_id_names_the_key() -> None:
    """The id is the key's own, short, and none of the key."""
    assert Kek.of(MATERIAL).kek_id == Kek.of(MATERIAL).kek_id != Kek.generate().kek_id
    assert Kek.of(MATERIAL).kek_id not in MATERIAL.hex()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o777])
def test_open_file_is_refused(tmp_path: Path, mode: int) -> None:
    """The refusal names the file and the command that helps."""
    path = kek_file(tmp_path, MATERIAL, mode)
    with pytest.raises(CaracalError, match="chmod 600") as caught:
        Kek.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "material",
    [
        bytes(32),
        b"\xff" * 32,
        b"ab" * 16,
        bytes(range(32)),
        bytes(range(100, 68, -1)),
        bytes(range(0, 224, 7)),
        bytes(range(16)) * 2,
        MATERIAL[:16] * 2,
    ],
    ids=["zero", "ones", "alternating", "rising", "falling", "steps", "short", "half"],
)
def test_weak_key_is_refused(tmp_path: Path, material: bytes) -> None:
    """Patterns are no keys, in whatever form they are written."""
    for content in (material, material.hex().encode()):
        with pytest.raises(CaracalError, match=r"kek") as caught:
            Kek.load(kek_file(tmp_path, content))
        assert material.hex() not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"short", MATERIAL[:31], MATERIAL + b"\n\n", b"x" * 65, b"k" * 70_000]
)
def test_other_length_is_refused(tmp_path: Path, content: bytes) -> None:
    """Neither fewer bytes nor more."""
    with pytest.raises(CaracalError, match="kek"):
        Kek.load(kek_file(tmp_path, content))


def test_short_key_in_hex_is_not_taken_for_a_raw_one(tmp_path: Path) -> None:
    """16 bytes in hex are 32 characters, and half a key."""
    with pytest.raises(CaracalError, match="32 random bytes"):
        Kek.load(kek_file(tmp_path, MATERIAL[:16].hex().encode()))
