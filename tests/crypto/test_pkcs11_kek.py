"""A key-encryption key in a token seals and opens as one in memory does, and never leaves it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.kek import Kek
from caracal_grpc.crypto.kek_source import KekSource, open_keks
from caracal_grpc.crypto.pkcs11_kek import MECHANISMS, OpenToken
from caracal_grpc.crypto.sealing import UNPLACED, open_sealed, seal
from tests.support.softhsm import PIN, TOKEN, SoftHsm, softhsm

__all__ = ["softhsm"]

PLACE = "acme/keys/key_1"


@pytest.fixture
def token(softhsm: SoftHsm) -> Any:
    """An open session with the token."""
    opened = OpenToken(softhsm.module, TOKEN, PIN)
    yield opened
    opened.close()


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda each: each.name)
def test_round_trip(softhsm: SoftHsm, token: OpenToken, mechanism: Any) -> None:
    """By either mechanism, also in another session with the token."""
    label = softhsm.new_key()
    kek = token.key(label, (mechanism,))
    envelope = seal(kek, b"private", PLACE, 1)
    assert envelope["format"] == UNPLACED
    assert open_sealed(kek, envelope, PLACE, 1) == b"private"
    again = OpenToken(softhsm.module, TOKEN, PIN)
    same = again.key(label, (mechanism,))
    assert same.kek_id == kek.kek_id
    assert open_sealed(same, envelope, PLACE, 1) == b"private"
    again.close()


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda each: each.name)
def test_what_was_moved_or_changed_does_not_open(
    softhsm: SoftHsm, token: OpenToken, mechanism: Any
) -> None:
    """KEY_STATE_CONFLICT for another place, version, key or content."""
    kek, other = (token.key(softhsm.new_key(), (mechanism,)) for _ in range(2))
    envelope, another = (seal(kek, b"private", PLACE, 1) for _ in range(2))
    forged = {**envelope, "kek_id": other.kek_id}
    mixed = {**envelope, "data_key": another["data_key"]}
    tries = [
        (kek, envelope, "other/keys/key_1", 1),
        (kek, envelope, PLACE, 2),
        (kek, mixed, PLACE, 1),
        (kek, {**envelope, "data_key": "AAAA"}, PLACE, 1),
        (other, envelope, PLACE, 1),
        (other, forged, PLACE, 1),
        (Kek.generate(), envelope, PLACE, 1),
        (None, envelope, PLACE, 1),
    ]
    for found, sealed, place, version in tries:
        with pytest.raises(CaracalError) as caught:
            open_sealed(found, sealed, place, version)
        assert caught.value.reason is Reason.KEY_STATE_CONFLICT
    assert open_sealed(kek, envelope, PLACE, 1) == b"private"


def test_each_key_has_an_id_of_its_own(softhsm: SoftHsm, token: OpenToken) -> None:
    """It is of the key, not of its label, and shows in no representation but as itself."""
    keks = [token.key(softhsm.new_key()) for _ in range(3)]
    assert len({kek.kek_id for kek in keks}) == 3
    assert PIN not in repr(keks[0]) + repr(token)


def test_lost_session_is_opened_again(softhsm: SoftHsm, token: OpenToken) -> None:
    """As after a restart of the module's service."""
    kek = token.key(softhsm.new_key())
    envelope = seal(kek, b"private", PLACE, 1)
    token._session.close()
    assert open_sealed(kek, envelope, PLACE, 1) == b"private"
    token._session.close()
    seal(kek, b"private", PLACE, 1)


def test_key_in_the_place_of_another_seals_nothing(softhsm: SoftHsm, token: OpenToken) -> None:
    """STORE_UNAVAILABLE, rather than values that the key by this id does not open."""
    kek = token.key(softhsm.new_key())
    stranger = replace(kek, _label=softhsm.new_key())
    with pytest.raises(CaracalError) as caught:
        seal(stranger, b"private", PLACE, 1)
    assert caught.value.reason is Reason.STORE_UNAVAILABLE


def test_settings_that_are_wrong_are_named(softhsm: SoftHsm, tmp_path: Path) -> None:
    """FIELD_INVALID with the setting and no PIN."""
    label, place = softhsm.new_key(), softhsm.place
    wrong_pin, open_pin = tmp_path / "pin", tmp_path / "open"
    wrong_pin.write_text("000000")
    wrong_pin.chmod(0o600)
    open_pin.write_text(PIN)
    open_pin.chmod(0o644)
    tries = [
        ("kek_pkcs11_module", replace(place, module=tmp_path / "none.so"), label),
        ("kek_pkcs11_token", replace(place, label="none"), label),
        ("kek_pkcs11_pin_file", replace(place, pin_file=wrong_pin), label),
        ("kek_pkcs11_pin_file", replace(place, pin_file=open_pin), label),
        ("kek_pkcs11_label", place, "none"),
        ("kek_pkcs11_label", place, softhsm.new_key(bits=128)),
    ]
    for setting, where, key in tries:
        with pytest.raises(CaracalError) as caught:
            open_keks(KekSource("kek_pkcs11_label", label=key), place=where)
        assert caught.value.violations[0].field == setting
        assert PIN not in str(caught.value)
    open_keks(KekSource("kek_pkcs11_label", label=label), place=place).close()
