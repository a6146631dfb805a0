"""When the client side asks for bound mandates, and what it makes of the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.crypto.thumbprint import x5t_s256
from caracal_grpc.interceptors import connect, connect_sync
from caracal_grpc.interceptors.profile import Profile
from tests.interceptors.calling import say_aio, say_sync
from tests.interceptors.support import (
    RESOURCE,
    RULES,
    Echo,
    FakeAuthority,
    calls,
    profile,
    serving,
)
from tests.support.etcd_tls import CertificateAuthority
from tests.support.tls import write_pair

SCOPES = ["echo:say"]


class Binder(FakeAuthority):
    """An authority that says of each mandate which certificate it is bound to."""

    thumbprint = ""

    async def Exchange(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name of the rpc
        """As asked."""
        response = await super().Exchange(request, context)
        response.certificate_thumbprint = self.thumbprint if request.bind else ""
        return response


@pytest.fixture
def binder() -> Binder:
    """The authority that the test scripts."""
    return Binder()


@pytest.fixture
async def shown(binder: Binder, tmp_path: Path) -> AsyncIterator[Profile]:
    """The profile of an application with a client certificate, over mutual TLS."""
    roots = CertificateAuthority()
    certificate, key = roots.issue("authority", ("127.0.0.1",))
    credentials = grpc.ssl_server_credentials([(key, certificate)], roots.pem, True)
    own, own_key = roots.issue("orders")
    binder.thumbprint = x5t_s256(own)
    files = write_pair(tmp_path, own, own_key)
    async with serving(binder, Echo(), credentials) as where:
        yield profile(where, plaintext=False, ca=roots.pem.decode(), **files)


async def test_with_a_client_certificate_it_asks_for_binding(
    shown: Profile, binder: Binder
) -> None:
    """By itself, on channels and in exchanges; not where it is told otherwise."""
    async with connect(shown, rules=RULES) as edge:
        await say_aio(calls(edge.channel(shown.authority)), "UnaryUnary")
        await edge.exchange(RESOURCE, SCOPES)
        await edge.exchange(RESOURCE, SCOPES, bound=False)
        await say_aio(calls(edge.channel(shown.authority, bound=False)), "UnaryUnary")
    async with connect(shown, rules=RULES, bound=False) as edge:
        await edge.exchange(RESOURCE, SCOPES)
        await edge.exchange(RESOURCE, SCOPES, bound=True)
    assert [request.bind for request in binder.requests] == [True, False, False, True]


async def test_threads_ask_for_binding_as_well(shown: Profile, binder: Binder) -> None:
    """The synchronous edge has the same default."""

    def work() -> None:
        with connect_sync(shown, rules=RULES) as edge:
            say_sync(calls(edge.channel(shown.authority)), "UnaryUnary")
            edge.exchange(RESOURCE, SCOPES)
            edge.exchange(RESOURCE, SCOPES, bound=False)

    await asyncio.to_thread(work)
    assert [request.bind for request in binder.requests] == [True, False]


@pytest.mark.parametrize("answer", ["", "A" * 43])
async def test_mandate_bound_to_another_certificate_is_not_taken(
    shown: Profile, binder: Binder, answer: str
) -> None:
    """As when a proxy shows its own: told at once, not by refusals everywhere."""
    binder.thumbprint = answer
    async with connect(shown) as edge:
        with pytest.raises(grpc.aio.AioRpcError, match="bound=False") as caught:
            await edge.exchange(RESOURCE, SCOPES)
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_without_a_client_certificate_nothing_is_bound(
    address: str, authority: FakeAuthority
) -> None:
    """Who asks for it all the same is told what is missing."""
    async with connect(profile(address), rules=RULES) as edge:
        await say_aio(calls(edge.channel(address)), "UnaryUnary")
        with pytest.raises(CaracalError, match="needs cert_file and key_file"):
            edge.channel(address, bound=True)
    assert [request.bind for request in authority.requests] == [False]


@pytest.mark.parametrize(
    "target",
    ["10.0.0.1:1", "a.example:1", "dns:///a.example:1", "dns://10.0.0.1/localhost:1",
     "ipv4:127.0.0.1:1,10.0.0.1:1", "nothing"],
)  # fmt: skip
async def test_channel_in_plaintext_leads_to_loopback_only(address: str, target: str) -> None:
    """A mandate never crosses a network in the clear."""
    async with connect(profile(address)) as edge:
        with pytest.raises(CaracalError, match="target"):
            edge.channel(target)
    with connect_sync(profile(address)) as sync_edge, pytest.raises(CaracalError, match="target"):
        sync_edge.channel(target)


async def test_key_of_another_certificate_is_told_when_the_edge_is_made(
    shown: Profile, tmp_path: Path
) -> None:
    """Before any call."""
    (tmp_path / "client.cert.pem").write_bytes(CertificateAuthority().issue("orders")[0])
    with pytest.raises(CaracalError, match="key_file"):
        connect(shown)
