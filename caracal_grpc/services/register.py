"""Every servicer of the authority, put on a server, and the descriptors that hold their rules."""

from __future__ import annotations

import grpc.aio

from caracal_grpc.authority.authority import Authority
from caracal_grpc.services.approval import ApprovalServicer
from caracal_grpc.services.audit import AuditServicer
from caracal_grpc.services.delegation import DelegationServicer
from caracal_grpc.services.key import KeyServicer
from caracal_grpc.services.revocation import RevocationServicer
from caracal_grpc.services.session import SessionServicer
from caracal_grpc.services.token import TokenServicer
from caracal_grpc.services.zone import ZoneServicer
from caracal_grpc.v1 import (
    approval_service_pb2,
    approval_service_pb2_grpc,
    audit_service_pb2,
    audit_service_pb2_grpc,
    delegation_service_pb2,
    delegation_service_pb2_grpc,
    key_service_pb2,
    key_service_pb2_grpc,
    revocation_service_pb2,
    revocation_service_pb2_grpc,
    session_service_pb2,
    session_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
    zone_service_pb2,
    zone_service_pb2_grpc,
)

SERVICES = tuple(
    file.DESCRIPTOR.services_by_name[name]
    for file, name in (
        (approval_service_pb2, "ApprovalService"),
        (audit_service_pb2, "AuditService"),
        (delegation_service_pb2, "DelegationService"),
        (key_service_pb2, "KeyService"),
        (revocation_service_pb2, "RevocationService"),
        (session_service_pb2, "SessionService"),
        (token_service_pb2, "TokenService"),
        (zone_service_pb2, "ZoneService"),
    )
)
"""The descriptors of every service, from which the guard takes its rules."""


def add_services(server: grpc.aio.Server, authority: Authority) -> None:
    """Puts every service of the authority on `server`."""
    feed = authority.feed
    approval_service_pb2_grpc.add_ApprovalServiceServicer_to_server(
        ApprovalServicer(authority.approvals), server
    )
    audit_service_pb2_grpc.add_AuditServiceServicer_to_server(
        AuditServicer(authority.audit, authority.edge_decisions), server
    )
    delegation_service_pb2_grpc.add_DelegationServiceServicer_to_server(
        DelegationServicer(authority.delegations), server
    )
    key_service_pb2_grpc.add_KeyServiceServicer_to_server(KeyServicer(authority.keys, feed), server)
    revocation_service_pb2_grpc.add_RevocationServiceServicer_to_server(
        RevocationServicer(authority.revocations, feed, authority.propagation), server
    )
    session_service_pb2_grpc.add_SessionServiceServicer_to_server(
        SessionServicer(authority.sessions, authority.leases, authority.suspensions), server
    )
    token_service_pb2_grpc.add_TokenServiceServicer_to_server(
        TokenServicer(authority.exchange, authority.consumption), server
    )
    zone_service_pb2_grpc.add_ZoneServiceServicer_to_server(ZoneServicer(authority.zones), server)
