"""A real authority on a real etcd, served on loopback, and the short words of tests for it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc.aio
import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.secret_file import write_secret_file
from caracal_grpc.interceptors.client.channel import aio_channel
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.interceptors.status import from_rpc_error
from caracal_grpc.interceptors.testing import bearing as bearer
from caracal_grpc.server import Server
from caracal_grpc.settings.serve import ServeSettings
from caracal_grpc.v1 import (
    application_service_pb2_grpc,
    approval_service_pb2_grpc,
    audit_service_pb2_grpc,
    credential_service_pb2_grpc,
    delegation_service_pb2_grpc,
    diagnostics_service_pb2_grpc,
    issuer_service_pb2_grpc,
    key_service_pb2_grpc,
    policy_service_pb2_grpc,
    proof_system_service_pb2_grpc,
    resource_service_pb2_grpc,
    retention_service_pb2_grpc,
    revocation_service_pb2,
    revocation_service_pb2_grpc,
    session_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
    upstream_service_pb2_grpc,
    workload_issuer_service_pb2_grpc,
    zone_service_pb2,
    zone_service_pb2_grpc,
)
from tests.support.contract import Answers
from tests.support.etcd import EtcdProcess
from tests.support.shop import CARACAL, shop, zone_message

Stub = Any


class Stubs:
    """Every service of the authority over one channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.tokens: Stub = token_service_pb2_grpc.TokenServiceStub(channel)
        self.sessions: Stub = session_service_pb2_grpc.SessionServiceStub(channel)
        self.delegations: Stub = delegation_service_pb2_grpc.DelegationServiceStub(channel)
        self.diagnostics: Stub = diagnostics_service_pb2_grpc.DiagnosticsServiceStub(channel)
        self.revocations: Stub = revocation_service_pb2_grpc.RevocationServiceStub(channel)
        self.approvals: Stub = approval_service_pb2_grpc.ApprovalServiceStub(channel)
        self.policies: Stub = policy_service_pb2_grpc.PolicyServiceStub(channel)
        self.keys: Stub = key_service_pb2_grpc.KeyServiceStub(channel)
        self.audit: Stub = audit_service_pb2_grpc.AuditServiceStub(channel)
        self.zones: Stub = zone_service_pb2_grpc.ZoneServiceStub(channel)
        self.applications: Stub = application_service_pb2_grpc.ApplicationServiceStub(channel)
        self.credentials: Stub = credential_service_pb2_grpc.CredentialServiceStub(channel)
        self.resources: Stub = resource_service_pb2_grpc.ResourceServiceStub(channel)
        self.retention: Stub = retention_service_pb2_grpc.RetentionServiceStub(channel)
        self.issuers: Stub = issuer_service_pb2_grpc.IssuerServiceStub(channel)
        self.proof_systems: Stub = proof_system_service_pb2_grpc.ProofSystemServiceStub(channel)
        self.upstreams: Stub = upstream_service_pb2_grpc.UpstreamServiceStub(channel)
        self.workload_issuers: Stub = workload_issuer_service_pb2_grpc.WorkloadIssuerServiceStub(
            channel
        )


@dataclass
class Client:
    """Calls one authority, with the credentials of every application that it declared."""

    profile: Profile
    channel: grpc.aio.Channel
    credentials: dict[tuple[str, str], token_service_pb2.ClientAuthentication] = field(
        default_factory=dict
    )
    stubs: Stubs = field(init=False)
    _operator: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        self.stubs = Stubs(self.channel)
        self.credentials["caracal", "operator"] = token_service_pb2.ClientAuthentication(
            application_id=self.profile.application_id, client_secret=self.profile.client_secret
        )

    async def operator(self) -> tuple[tuple[str, str], ...]:
        """The metadata of the operator's calls."""
        if not self._operator:
            self._operator = (await self.exchange("operator", CARACAL, zone="caracal")).mandate
        return bearer(self._operator)

    async def apply(
        self, zone: dict[str, Any], *, prune: bool = True, **more: Any
    ) -> zone_service_pb2.ZoneServiceApplyResponse:
        """Declares the whole of a zone as the operator, and keeps the credentials."""
        request = zone_service_pb2.ZoneServiceApplyRequest(
            zone=zone_message(zone), prune=prune, **more
        )
        response = await self.stubs.zones.Apply(request, metadata=await self.operator())
        for credential in response.credentials:
            name = zone["name"], credential.application_name
            self.credentials[name] = token_service_pb2.ClientAuthentication(
                application_id=credential.application_id, client_secret=credential.client_secret
            )
        return response

    def request(
        self, name: str, resource: str, *scopes: str, zone: str = "shop", **more: Any
    ) -> token_service_pb2.ExchangeRequest:
        """An exchange of the application `name`; `more` are fields of the request."""
        client = more.pop("client", None) or self.credentials[zone, name]
        return token_service_pb2.ExchangeRequest(
            zone=zone, client=client, resource=resource, scopes=scopes, **more
        )

    async def exchange(
        self, name: str, resource: str, *scopes: str, **more: Any
    ) -> token_service_pb2.ExchangeResponse:
        """What the application `name` is granted."""
        return await self.stubs.tokens.Exchange(self.request(name, resource, *scopes, **more))

    async def caller(self, name: str, zone: str = "shop") -> tuple[tuple[str, str], ...]:
        """The metadata with which the application calls the authority itself."""
        return bearer((await self.exchange(name, CARACAL, zone=zone)).mandate)

    async def revoke(self, anchor: str, zone: str = "shop") -> int:
        """The revision at which `anchor` is dead."""
        request = revocation_service_pb2.RevocationServiceRevokeRequest(
            zone=zone, anchor=anchor, reason="a test"
        )
        response = await self.stubs.revocations.Revoke(request, metadata=await self.operator())
        return int(response.revision)


@dataclass
class Running(Client):
    """A served authority in this process."""

    server: Server = field(kw_only=True)
    address: str = field(kw_only=True)
    folder: Path = field(kw_only=True)


def serve_values(folder: Path, etcd: EtcdProcess, **changes: Any) -> dict[str, Any]:
    """Settings that serve on loopback with everything in `folder`; `None` takes one away."""
    kek = folder / "kek"
    if not kek.exists():
        write_secret_file(kek, secrets.token_hex(32))
    values = {
        "listen": "127.0.0.1:0",
        "public_url": "https://a.example",
        "etcd_endpoints": [etcd.endpoint],
        "etcd_prefix": f"test/{uuid4().hex}",
        "kek_file": kek,
        "ledger": folder / "ledger.db",
        "bootstrap_profile": folder / "operator.json",
        "max_staleness": 5,
        "drain_seconds": 3,
    }
    return {name: value for name, value in (values | changes).items() if value is not None}


async def run(folder: Path, values: dict[str, Any], closing: AsyncExitStack) -> Running:
    """Starts an authority; `closing` stops it. A later start in `folder` finds its profile."""
    server = Server(ServeSettings.load(values))
    address = await server.start()
    closing.push_async_callback(server.stop)
    saved = Profile.load(values["bootstrap_profile"])
    profile = Profile(
        authority=address,
        zone=saved.zone,
        issuer=saved.issuer,
        application_id=saved.application_id,
        client_secret=saved.client_secret,
        ca_file=saved.ca_file,
        plaintext=saved.plaintext,
    )
    channel = aio_channel(profile)
    closing.push_async_callback(channel.close)
    return Running(profile, channel, server=server, address=address, folder=folder)


Starter = Callable[..., Awaitable[Running]]
"""Starts an authority with changed settings; the fixture stops it."""


@pytest.fixture
async def start_authority(
    tmp_path: Path, etcd: EtcdProcess, answers: Answers
) -> AsyncIterator[Starter]:
    """Starts authorities on the shared etcd, each under a prefix of its own unless told one.

    What they refuse, and why, is held against the contract at the end of the run.
    """
    async with AsyncExitStack() as closing:

        async def start(**changes: Any) -> Running:
            return await run(tmp_path, serve_values(tmp_path, etcd, **changes), closing)

        yield start


@pytest.fixture
async def authority(start_authority: Starter) -> Running:
    """A served authority with the shop declared."""
    running = await start_authority()
    await running.apply(shop())
    return running


async def eventually(
    condition: Callable[[], Awaitable[bool]], *, timeout: float = 20.0, pause: float = 0.05
) -> None:
    """Returns once the condition holds; fails the test when it does not in time."""
    async with asyncio.timeout(timeout):
        while not await condition():
            await asyncio.sleep(pause)


async def reason_of(call: Awaitable[Any]) -> Reason | None:
    """Why a call is refused, `None` when it is answered; an untyped failure fails the test."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        refusal = from_rpc_error(error)
        assert refusal is not None, f"an untyped refusal: {error!r}"
        return refusal.reason
    return None
