"""A rule that takes one of several scopes: asked for, granted and held by real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import grpc.aio
import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors import connect
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.interceptors.rules.rules import Rules
from tests.support.authority import Running
from tests.support.echo import Journal, path
from tests.support.echo_aio import aio_handlers
from tests.support.echo_client import EchoClient
from tests.support.refusals import refused
from tests.support.shop import ORDERS


def rules(*any_scopes: str, scopes: tuple[str, ...] = ()) -> Rules:
    """One method, which asks for these."""
    entry = {"resource": ORDERS, "scopes": scopes, "any_scopes": any_scopes}
    return Rules.from_mapping({path("Unary"): entry})


def profile(authority: Running, name: str) -> Profile:
    """The profile of an application of the shop."""
    credential = authority.credentials["shop", name]
    return replace(
        authority.profile,
        zone="shop",
        issuer="https://a.example/zones/shop",
        application_id=credential.application_id,
        client_secret=credential.client_secret,
    )


@asynccontextmanager
async def calling(
    authority: Running, asked: Rules, name: str = "agent"
) -> AsyncIterator[tuple[EchoClient, Journal]]:
    """An application that calls the guarded service of another."""
    journal = Journal()
    async with (
        connect(profile(authority, "orders"), rules=asked) as served,
        connect(profile(authority, name), rules=asked) as edge,
    ):
        server = grpc.aio.server(interceptors=[await served.guard()])
        server.add_generic_rpc_handlers((aio_handlers(journal),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        await served.ready(10)
        ours: Any = edge.client_interceptors()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", interceptors=ours) as channel:
            yield EchoClient(channel), journal
        await server.stop(None)


@pytest.mark.parametrize(
    "asked",
    [
        rules("orders:place", "orders:track"),
        rules("orders:track", "orders:place"),
        rules("orders:track", "orders:burn", "orders:place", scopes=("orders:cancel",)),
    ],
    ids=["first", "second", "third besides another"],
)
async def test_what_policy_grants_of_it_is_enough(authority: Running, asked: Rules) -> None:
    """The agent may place and cancel; the service lets it in by the one that it was granted."""
    async with calling(authority, asked) as (client, journal):
        await client.call("Unary")
    assert journal.ran == ["Unary"]


async def test_none_of_it_granted_is_policys_refusal(authority: Running) -> None:
    """As for a scope that is always needed; the service is not even called."""
    async with calling(authority, rules("orders:burn", "orders:track")) as (client, journal):
        with refused(Reason.POLICY_DENIED):
            await client.call("Unary")
    assert journal.ran == []


async def test_what_a_ceiling_leaves_of_it_is_enough(authority: Running) -> None:
    """The next is asked for when the first lies above the ceiling, too."""
    asked = rules("orders:cancel", "orders:place")
    async with calling(authority, asked, "bounded") as (client, journal):
        await client.call("Unary")
    assert journal.ran == ["Unary"]


async def test_all_of_it_at_once_is_never_granted_in_part(authority: Running) -> None:
    """Which is why the client side asks for one after the other."""
    with refused(Reason.POLICY_DENIED):
        await authority.exchange("agent", ORDERS, "orders:place", "orders:track")
