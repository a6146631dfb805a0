"""An authority whose key-encryption key is in a PKCS#11 token, or in a command, and moves."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.secret_file import write_secret_file
from caracal_grpc.v1 import key_service_pb2
from tests.support.authority import Running, Starter, reason_of
from tests.support.refusals import refused
from tests.support.shop import ORDERS, shop
from tests.support.softhsm import TOKEN, SoftHsm, softhsm

__all__ = ["softhsm"]


def in_token(hsm: SoftHsm, label: str) -> dict[str, Any]:
    """Settings of a key in the token, and no other."""
    return {
        "kek_file": None,
        "kek_pkcs11_module": hsm.module,
        "kek_pkcs11_token": TOKEN,
        "kek_pkcs11_pin_file": hsm.pin_file,
        "kek_pkcs11_label": label,
    }


async def reseal(authority: Running) -> Any:
    """What the operator is answered about every zone."""
    request = key_service_pb2.ResealKeysRequest()
    return await authority.stubs.keys.ResealKeys(request, metadata=await authority.operator())


async def again(before: Running, start: Starter, **changes: Any) -> Running:
    """The authority, ended and started with other settings, and the same clients."""
    await before.server.stop()
    started = await start(**changes)
    started.credentials |= before.credentials
    return started


async def test_key_in_a_token(start_authority: Starter, softhsm: SoftHsm) -> None:
    """It signs and starts again; what it sealed opens with it alone, until it is sealed anew."""
    prefix, first, second = f"test/{secrets.token_hex(8)}", softhsm.new_key(), softhsm.new_key()
    settings = {"etcd_prefix": prefix}
    authority = await start_authority(**settings, **in_token(softhsm, first))
    await authority.apply(shop())
    await authority.exchange("agent", ORDERS)
    authority = await again(authority, start_authority, **settings, **in_token(softhsm, first))
    await authority.exchange("agent", ORDERS)
    await authority.server.stop()
    with refused(Reason.FIELD_INVALID) as seen:
        await start_authority(**settings, **in_token(softhsm, second))
    assert seen.fields == ["kek_pkcs11_label"]
    both = in_token(softhsm, second) | {"kek_pkcs11_previous_label": [first]}
    authority = await again(authority, start_authority, **settings, **both)
    done = await reseal(authority)
    assert (done.resealed, done.unchanged) == (4, 0)
    softhsm.destroy(first)
    authority = await again(authority, start_authority, **settings, **in_token(softhsm, second))
    await authority.exchange("agent", ORDERS)
    assert (await reseal(authority)).kek_id == done.kek_id


async def test_key_moves_from_a_file_to_a_token(
    start_authority: Starter, softhsm: SoftHsm, tmp_path: Path
) -> None:
    """And on to a command; each time the one before is needed until all is sealed anew."""
    settings = {"etcd_prefix": f"test/{secrets.token_hex(8)}"}
    authority = await start_authority(**settings)
    await authority.apply(shop())
    token, file = in_token(softhsm, softhsm.new_key()), tmp_path / "kek"
    moving = token | {"kek_previous_file": [str(file)]}
    authority = await again(authority, start_authority, **settings, **moving)
    assert (await reseal(authority)).resealed == 4
    file.unlink()
    other = tmp_path / "other"
    write_secret_file(other, secrets.token_hex(32))
    command = {**settings, "kek_file": None, "kek_command": f"cat {other}"}
    back = {
        **token,
        **command,
        "kek_pkcs11_label": None,
        "kek_pkcs11_previous_label": [token["kek_pkcs11_label"]],
    }
    authority = await again(authority, start_authority, **back)
    assert (await reseal(authority)).resealed == 4
    authority = await again(authority, start_authority, **command)
    await authority.exchange("agent", ORDERS)
    assert await reason_of(reseal(authority)) is None


@pytest.mark.parametrize("setting", ["kek_pkcs11_module", "kek_pkcs11_pin_file"])
async def test_token_that_cannot_be_opened_is_named(
    start_authority: Starter, softhsm: SoftHsm, tmp_path: Path, setting: str
) -> None:
    """FIELD_INVALID, and nothing is started."""
    settings = in_token(softhsm, softhsm.new_key()) | {setting: tmp_path / "none"}
    with refused(Reason.FIELD_INVALID) as seen:
        await start_authority(**settings)
    assert seen.fields == [setting]
