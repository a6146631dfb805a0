"""Sealed values open in their place, at their version, under their key, and nowhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.kek import Kek
from caracal_grpc.crypto.sealing import open_sealed, seal

KEK = Kek.generate()
PLACE = "/caracal/v1/acme/keys/key_1"
SECRET = b"the private key"
ENVELOPE = seal(KEK, SECRET, PLACE, 3)


def refused(kek: Kek, envelope: dict[str, Any], place: str, version: int) -> CaracalError:
    """The refusal to open `envelope`."""
    with pytest.raises(CaracalError) as caught:
        open_sealed(kek, envelope, place, version)
    assert caught.value.reason is Reason.KEY_STATE_CONFLICT
    return caught.value


@given(st.binary(max_size=300), st.text(max_size=20), st.integers(0, 2**40))
def test_round_trip(plaintext: bytes, place: str, version: int) -> None:
    """What was sealed opens, also after a way through json."""
    envelope = json.loads(json.dumps(seal(KEK, plaintext, place, version)))
    assert open_sealed(KEK, envelope, place, version) == plaintext


def test_two_seals_differ() -> None:
    """Each value has a data key and nonces of its own."""
    again = seal(KEK, SECRET, PLACE, 3)
    assert again["value"] != ENVELOPE["value"]
    assert again["data_key"] != ENVELOPE["data_key"]


def test_moved_envelope_does_not_open() -> None:
    """The place is part of what is authenticated."""
    refused(KEK, ENVELOPE, "/caracal/v1/other/keys/key_1", 3)


@pytest.mark.parametrize("version", [2, 4])
def test_rolled_back_envelope_does_not_open(version: int) -> None:
    """So is the version."""
    refused(KEK, ENVELOPE, PLACE, version)


def test_place_and_version_do_not_run_together() -> None:
    """Place `a1` at version 2 is not place `a` at version 12."""
    refused(KEK, seal(KEK, SECRET, "a1", 2), "a", 12)


def test_other_kek_does_not_open() -> None:
    """The refusal says that another key is needed, even under a forged id."""
    other = Kek.generate()
    assert "another key-encryption key" in refused(other, ENVELOPE, PLACE, 3).message
    refused(other, {**ENVELOPE, "kek_id": other.kek_id}, PLACE, 3)


def test_parts_of_two_envelopes_do_not_open() -> None:
    """A data key belongs to its value."""
    other = seal(KEK, b"other", PLACE, 3)
    refused(KEK, {**ENVELOPE, "data_key": other["data_key"]}, PLACE, 3)
    refused(KEK, {**ENVELOPE, "data_key": ENVELOPE["value"]}, PLACE, 3)


@pytest.mark.parametrize("name", ["data_key", "value", "format", "kek_id"])
@pytest.mark.parametrize("bad", ["", "AAAA", "====", "é", 7, None, [], "A" * 80])
def test_changed_member_does_not_open(name: str, bad: object) -> None:
    """Any other content of a member is refused by the same reason."""
    refused(KEK, {**ENVELOPE, name: bad}, PLACE, 3)


@pytest.mark.parametrize("envelope", [{}, {"format": "x"}, {**ENVELOPE, "more": 1}])
def test_other_object_does_not_open(envelope: dict[str, Any]) -> None:
    """An envelope has four members."""
    refused(KEK, envelope, PLACE, 3)


def test_nothing_shows_material() -> None:
    """Neither a refusal nor a representation holds the key or the value."""
    text = str(refused(KEK, ENVELOPE, PLACE, 4)) + repr(KEK)
    assert KEK.material.hex() not in text
    assert repr(KEK.material) not in text
    assert ENVELOPE["value"] not in text
    assert repr(KEK) == f"Kek(kek_id='{KEK.kek_id}')"


def test_envelope_holds_no_plaintext() -> None:
    """The value is encrypted, not wrapped."""
    assert "private" not in json.dumps(ENVELOPE)
