"""The client side over every transport, on either stack, in every cardinality."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.crypto.thumbprint import x5t_s256
from caracal_grpc.interceptors import connect, connect_sync
from caracal_grpc.interceptors.profile import Profile
from tests.interceptors.calling import say_aio, say_sync
from tests.interceptors.support import METHODS, RULES, Echo, FakeAuthority, calls, profile, serving
from tests.support.etcd_tls import CertificateAuthority
from tests.support.tls import write_pair

Say = Callable[[Profile, str], Awaitable[str]]


class Binder(FakeAuthority):
    """Binds each mandate to the certificate of its only client, when asked to."""

    thumbprint = ""

    async def Exchange(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name of the rpc
        """As asked."""
        response = await super().Exchange(request, context)
        response.certificate_thumbprint = self.thumbprint if request.bind else ""
        return response


async def over_aio(known: Profile, name: str) -> str:
    """One call over a channel of an asyncio edge."""
    async with connect(known, rules=RULES) as edge:
        return await say_aio(calls(edge.channel(known.authority)), name)


async def over_threads(known: Profile, name: str) -> str:
    """One call over a channel of a threaded edge."""

    def work() -> str:
        with connect_sync(known, rules=RULES) as edge:
            return say_sync(calls(edge.channel(known.authority)), name)

    return await asyncio.to_thread(work)


@asynccontextmanager
async def served(
    transport: str, authority: Binder, echo: Echo, folder: Path
) -> AsyncIterator[Profile]:
    """Both behind `transport`; the profile of who calls them."""
    if transport == "plaintext":
        async with serving(authority, echo) as where:
            yield profile(where)
        return
    mutual, roots = transport == "mutual TLS", CertificateAuthority()
    certificate, key = roots.issue("authority", ("127.0.0.1",))
    credentials = grpc.ssl_server_credentials(
        [(key, certificate)], roots.pem if mutual else None, mutual
    )
    shown: dict[str, Any] = {}
    if mutual:
        own, own_key = roots.issue("orders")
        authority.thumbprint = x5t_s256(own)
        shown = write_pair(folder, own, own_key)
    async with serving(authority, echo, credentials) as where:
        yield profile(where, plaintext=False, ca=roots.pem.decode(), **shown)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("say", [over_aio, over_threads])
@pytest.mark.parametrize("transport", ["plaintext", "TLS", "mutual TLS"])
async def test_calls_carry_their_mandate(
    tmp_path: Path, transport: str, say: Say, name: str
) -> None:
    """Bound over mutual TLS, and there alone."""
    authority, echo = Binder(), Echo()
    async with served(transport, authority, echo, tmp_path) as known:
        assert await say(known, name) == "abc"
    assert echo.tokens == list(authority.issued.values())
    assert [request.bind for request in authority.requests] == [transport == "mutual TLS"]


@pytest.mark.parametrize("say", [over_aio, over_threads])
async def test_a_service_of_strangers_gets_no_mandate(tmp_path: Path, say: Say) -> None:
    """The connection fails before any metadata is sent."""
    echo, strangers = Echo(), CertificateAuthority("strangers")
    async with served("TLS", Binder(), echo, tmp_path) as known:
        astray = Profile(
            authority=known.authority,
            zone=known.zone,
            issuer=known.issuer,
            application_id=known.application_id,
            client_secret=known.client_secret,
            ca=strangers.pem.decode(),
        )
        with pytest.raises(grpc.RpcError):
            await say(astray, "UnaryUnary")
    assert echo.calls == []


@pytest.mark.parametrize("connected", [connect, connect_sync])
async def test_plaintext_leads_to_loopback_only(address: str, connected: Any) -> None:
    """A channel of the edge is refused when it is made, before there is a call."""
    edge = connected(profile(address))
    for target in ("10.0.0.1:443", "orders.example:443"):
        with pytest.raises(CaracalError, match="loopback"):
            edge.channel(target)
    closed = edge.close()
    if closed is not None:
        await closed
