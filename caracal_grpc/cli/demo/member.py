"""An application of the shop by its own credential: what it asks the authority, by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc.aio

from caracal_grpc.cli.demo.agent import TIMEOUT
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.interceptors.client.channel import aio_channel
from caracal_grpc.interceptors.edge.aio import connect
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.v1 import (
    application_pb2,
    approval_service_pb2,
    delegation_service_pb2,
    token_service_pb2,
)
from caracal_grpc.v1.approval_service_pb2_grpc import ApprovalServiceStub
from caracal_grpc.v1.delegation_service_pb2_grpc import DelegationServiceStub
from caracal_grpc.v1.token_service_pb2_grpc import TokenServiceStub

Reach = Mapping[str, Sequence[str]]
"""Scopes by resource."""


@dataclass(frozen=True, slots=True)
class Member:
    """One application; each of its calls raises `AioRpcError`."""

    profile: Profile
    tokens: Any
    approvals: Any
    delegations: Any

    @classmethod
    @asynccontextmanager
    async def acting(cls, profile: Profile) -> AsyncIterator[Member]:
        """The application with its channels to the authority."""
        async with AsyncExitStack() as stack:
            edge = await stack.enter_async_context(connect(profile, record=False))
            bare = await stack.enter_async_context(aio_channel(profile))
            attach = edge.client_interceptors()
            own = await stack.enter_async_context(
                grpc.aio.insecure_channel(profile.authority, interceptors=attach)
            )
            yield cls(
                profile,
                TokenServiceStub(bare),
                ApprovalServiceStub(own),
                DelegationServiceStub(own),
            )

    def exchange(self, resource: str, *scopes: str, **more: Any) -> Any:
        """An exchange for a fresh mandate; `more` are fields of the request."""
        client = token_service_pb2.ClientAuthentication(
            application_id=self.profile.application_id, client_secret=self.profile.client_secret
        )
        request = token_service_pb2.ExchangeRequest(
            zone=self.profile.zone, client=client, resource=resource, scopes=scopes, **more
        )
        return self.tokens.Exchange(request, timeout=TIMEOUT)

    def exchange_once(self, approval: str, resource: str, *scopes: str) -> Any:
        """An exchange that uses an approval up."""
        request_id = SystemIds().new("req")
        return self.exchange(resource, *scopes, approval_id=approval, request_id=request_id)

    async def approve(self, approval: str, reason: str) -> Any:
        """Looks at a held request, and approves exactly what it saw."""
        zone = self.profile.zone
        request = approval_service_pb2.ApprovalServiceGetRequest(zone=zone, id=approval)
        seen = (await self.approvals.Get(request, timeout=TIMEOUT)).approval
        vote = approval_service_pb2.ApproveRequest(
            zone=zone, id=approval, binding=seen.binding, reason=reason
        )
        return await self.approvals.Approve(vote, timeout=TIMEOUT)

    def delegate(self, session: str, receiver: str, reach: Reach, seconds: int) -> Any:
        """A delegation of part of what `session` reaches; the standing one when it is empty."""
        request = delegation_service_pb2.DelegateRequest(
            zone=self.profile.zone,
            session_id=session,
            receiver=receiver,
            ceiling=[
                application_pb2.Ceiling(resource=name, scopes=scopes)
                for name, scopes in reach.items()
            ],
        )
        request.ttl.FromSeconds(seconds)
        return self.delegations.Delegate(request, timeout=TIMEOUT)

    def revoke(self, delegation: str, reason: str) -> Any:
        """The end of a delegation and of all below it."""
        request = delegation_service_pb2.DelegationServiceRevokeRequest(
            zone=self.profile.zone, id=delegation, reason=reason
        )
        return self.delegations.Revoke(request, timeout=TIMEOUT)
