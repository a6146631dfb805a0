"""Assertions on their way: each attempt of an exchange has one of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.foreign_token import ForeignToken
from caracal_grpc.crypto.secret_file import write_secret_file
from caracal_grpc.interceptors.client.aio.tokens import AioExchanger, AioTokens
from caracal_grpc.interceptors.client.sync.tokens import SyncExchanger
from caracal_grpc.interceptors.client.tokens import Ask, ExchangeError
from caracal_grpc.interceptors.profile import Profile
from tests.crypto.test_assertion_key import jwk
from tests.interceptors.support import FakeAuthority, profile
from tests.support.clock import FakeClock
from tests.support.foreign import ForeignSigner

ASK = Ask("resource://echo", frozenset({"echo:say"}))
BUSY = CaracalError(Reason.STORE_UNAVAILABLE, "busy", retry_after=0.01)


def signing(address: str, folder: Path) -> Profile:
    """A profile that signs for itself."""
    path = folder / "own.jwk"
    write_secret_file(path, jwk(ForeignSigner.generate("ES256")).decode())
    return replace(profile(address), client_secret="", client_key_file=str(path))


def require_fresh(authority: FakeAuthority) -> None:
    """Returns when each of three attempts showed another assertion, and is the same request."""
    shown = [request.client.client_assertion for request in authority.requests]
    said: list[Any] = [ForeignToken.read(each).claimed["jti"] for each in shown]
    assert len(set(said)) == len(said) == 3
    for request in authority.requests:
        request.client.ClearField("client_assertion")
    assert authority.requests[0] == authority.requests[1] == authority.requests[2]


async def test_retries_sign_anew(authority: FakeAuthority, address: str, tmp_path: Path) -> None:
    """Since the authority may have counted the one before."""
    authority.refusals.extend([BUSY])
    authority.lose_answers = 1
    async with grpc.aio.insecure_channel(address) as channel:
        assert (await AioExchanger(channel, signing(address, tmp_path))(ASK)).token
    require_fresh(authority)


def test_retries_of_threads_sign_anew(
    authority: FakeAuthority, sync_address: str, tmp_path: Path
) -> None:
    """The same."""
    authority.refusals.extend([BUSY])
    authority.lose_answers = 1
    with grpc.insecure_channel(sync_address) as channel:
        assert SyncExchanger(channel, signing(sync_address, tmp_path))(ASK, 5.0).token
    require_fresh(authority)


async def test_file_that_goes_away_is_no_end(
    authority: FakeAuthority,
    address: str,
    tmp_path: Path,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Callers get a status, the log the file's name; once it is back, exchanges go on."""
    path = tmp_path / "token"
    known = replace(profile(address), client_secret="", client_assertion_file=str(path))
    async with grpc.aio.insecure_channel(address) as channel:
        tokens = AioTokens(AioExchanger(channel, known), clock)
        with pytest.raises(ExchangeError) as caught:
            await tokens.get(ASK)
        assert caught.value.status.code is grpc.StatusCode.INTERNAL
        assert str(path) in caplog.text
        path.write_text("a.b.c")
        assert await tokens.get(ASK)
        await tokens.close()
    assert [request.client.client_assertion for request in authority.requests] == ["a.b.c"]
