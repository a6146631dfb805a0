"""Secrets and tokens: handed out once, and never seen again in ledger, log or store."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, PAYMENTS, STOCK

TOKEN = re.compile(rb"eyJ[A-Za-z0-9_-]{10,}")


async def busy_run(rig: Rig) -> list[str]:
    """A bit of everything; returns every secret and every token that occurred."""
    seen = [credential.secret for credential in rig.credentials.values()]
    first = await rig.exchange("agent", ORDERS, "orders:place", request_id="r1")
    second = await rig.exchange("orders", PAYMENTS, subject_token=first.token)
    third = await rig.exchange("payments", STOCK, subject_token=second.token)
    seen += [first.token, second.token, third.token]
    for refusal in (
        rig.exchange("agent", ORDERS, secret=first.token),
        rig.exchange("agent", PAYMENTS, "payments:charge", context={"note": "private words"}),
        rig.exchange("orders", PAYMENTS, subject_token=first.token[:-4] + "AAAA"),
    ):
        with pytest.raises(CaracalError):
            await refusal
    assert rig.operator is not None
    await rig.authority.keys.rotate(rig.operator, "shop")
    await rig.authority.revocations.revoke(rig.operator, "shop", rig.standing("agent"), "over")
    return seen


def traces(secret: str) -> list[bytes]:
    """A secret, and the parts of a token that must not be found either."""
    parts = secret.split(".")
    return [secret.encode(), *(part.encode() for part in parts if len(part) > 40)]


async def test_ledger_holds_no_secret_and_no_token(rig: Rig, tmp_path: Path) -> None:
    """Not one byte of them in any file of the ledger, nor what a caller said in confidence."""
    secrets = await busy_run(rig)
    await rig.ledger.close()
    content = b"".join(path.read_bytes() for path in tmp_path.rglob("ledger*"))
    assert content
    for secret in secrets:
        for trace in traces(secret):
            assert trace not in content
    assert not TOKEN.search(content)
    assert b"private words" not in content


async def test_logs_hold_no_secret_and_no_token(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """Not at the most talkative level, in no logger."""
    caplog.set_level(logging.DEBUG)
    secrets = await busy_run(rig)
    written = caplog.text.encode()
    for secret in secrets:
        for trace in traces(secret):
            assert trace not in written


async def test_store_holds_no_secret_and_no_private_key(etcd_rig: Rig) -> None:
    """Digests and sealed keys only: neither secrets nor any form of a private key."""
    rig = etcd_rig
    secrets = [credential.secret.encode() for credential in rig.credentials.values()]
    for zone in ("shop", "caracal"):
        private = rig.keyring.signing_key(zone).private_bytes()
        key = serialization.load_der_private_key(private, None)
        scalar = key.private_numbers().private_value  # type: ignore[union-attr]
        forms = [private, scalar.to_bytes(32, "big"), str(scalar).encode()]
        secrets += [form for raw in forms for form in _spellings(raw)]
        secrets += _spellings(rig.keyring.ledger_key(zone).seed)
    content = await _everything(rig)
    assert b'"sealed"' in content
    for secret in secrets:
        assert secret not in content


def _spellings(raw: bytes) -> list[bytes]:
    from base64 import b64encode, urlsafe_b64encode

    encoded = [b64encode(raw), urlsafe_b64encode(raw)]
    return [raw, raw.hex().encode(), *(text.rstrip(b"=")[:-1] for text in encoded)]


async def _everything(rig: Rig) -> bytes:
    import json

    snapshot = await rig.store.list()
    return b"\n".join(json.dumps(dict(record.value)).encode() for record in snapshot.records)


async def test_refusals_hold_no_secret(rig: Rig) -> None:
    """What a caller is told never repeats what it sent."""
    secret = rig.credentials["shop", "agent"].secret
    token = (await rig.exchange("agent", ORDERS)).token
    with refused(Reason.CLIENT_AUTH_FAILED) as wrong:
        await rig.exchange("orders", ORDERS, secret=secret)
    with refused(Reason.SUBJECT_TOKEN_INVALID) as bad:
        await rig.exchange("orders", PAYMENTS, subject_token=token[:-3])
    for seen in (wrong, bad):
        said = str(seen.error) + str(seen.metadata)
        assert secret not in said
        assert token[:40] not in said


def test_values_hide_their_secrets(rig: Rig) -> None:
    """Requests, answers and credentials can be printed."""
    request = rig.request("agent", ORDERS, subject_token="eyJsecret")
    credential = rig.credentials["shop", "agent"]
    shown = (
        repr(request) + repr(credential) + repr(rig.state.application("shop", request.application))
    )
    assert credential.secret not in shown
    assert "eyJsecret" not in shown
