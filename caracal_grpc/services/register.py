"""Every servicer of the authority, put on a server, and the descriptors that hold their rules."""

from __future__ import annotations

import grpc.aio

from caracal_grpc.authority.authority import Authority
from caracal_grpc.authority.workloads.peers import Peers
from caracal_grpc.services.application import ApplicationServicer
from caracal_grpc.services.approval import ApprovalServicer
from caracal_grpc.services.audit import AuditServicer
from caracal_grpc.services.credential import CredentialServicer
from caracal_grpc.services.delegation import DelegationServicer
from caracal_grpc.services.diagnostics import DiagnosticsServicer
from caracal_grpc.services.issuer import IssuerServicer
from caracal_grpc.services.key import KeyServicer
from caracal_grpc.services.policy import PolicyServicer
from caracal_grpc.services.proof_system import ProofSystemServicer
from caracal_grpc.services.resource import ResourceServicer
from caracal_grpc.services.retention import RetentionServicer
from caracal_grpc.services.revocation import RevocationServicer
from caracal_grpc.services.session import SessionServicer
from caracal_grpc.services.token import TokenServicer
from caracal_grpc.services.upstream import UpstreamServicer
from caracal_grpc.services.workload_issuer import WorkloadIssuerServicer
from caracal_grpc.services.zone import ZoneServicer
from caracal_grpc.v1 import (
    application_service_pb2,
    application_service_pb2_grpc,
    approval_service_pb2,
    approval_service_pb2_grpc,
    audit_service_pb2,
    audit_service_pb2_grpc,
    credential_service_pb2,
    credential_service_pb2_grpc,
    delegation_service_pb2,
    delegation_service_pb2_grpc,
    diagnostics_service_pb2,
    diagnostics_service_pb2_grpc,
    issuer_service_pb2,
    issuer_service_pb2_grpc,
    key_service_pb2,
    key_service_pb2_grpc,
    policy_service_pb2,
    policy_service_pb2_grpc,
    proof_system_service_pb2,
    proof_system_service_pb2_grpc,
    resource_service_pb2,
    resource_service_pb2_grpc,
    retention_service_pb2,
    retention_service_pb2_grpc,
    revocation_service_pb2,
    revocation_service_pb2_grpc,
    session_service_pb2,
    session_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
    upstream_service_pb2,
    upstream_service_pb2_grpc,
    workload_issuer_service_pb2,
    workload_issuer_service_pb2_grpc,
    zone_service_pb2,
    zone_service_pb2_grpc,
)

SERVICES = tuple(
    file.DESCRIPTOR.services_by_name[name]
    for file, name in (
        (application_service_pb2, "ApplicationService"),
        (approval_service_pb2, "ApprovalService"),
        (audit_service_pb2, "AuditService"),
        (credential_service_pb2, "CredentialService"),
        (delegation_service_pb2, "DelegationService"),
        (diagnostics_service_pb2, "DiagnosticsService"),
        (issuer_service_pb2, "IssuerService"),
        (key_service_pb2, "KeyService"),
        (policy_service_pb2, "PolicyService"),
        (proof_system_service_pb2, "ProofSystemService"),
        (resource_service_pb2, "ResourceService"),
        (retention_service_pb2, "RetentionService"),
        (revocation_service_pb2, "RevocationService"),
        (session_service_pb2, "SessionService"),
        (token_service_pb2, "TokenService"),
        (upstream_service_pb2, "UpstreamService"),
        (workload_issuer_service_pb2, "WorkloadIssuerService"),
        (zone_service_pb2, "ZoneService"),
    )
)
"""The descriptors of every service, from which the guard takes its rules."""


def add_services(server: grpc.aio.Server, authority: Authority, peers: Peers) -> None:
    """Puts every service of the authority on `server`, which tells peers apart by `peers`."""
    _add_declared(server, authority)
    feed = authority.feed
    approval_service_pb2_grpc.add_ApprovalServiceServicer_to_server(
        ApprovalServicer(authority.approvals), server
    )
    audit_service_pb2_grpc.add_AuditServiceServicer_to_server(
        AuditServicer(
            authority.reading,
            authority.explaining,
            authority.edge_decisions,
            authority.proving,
        ),
        server,
    )
    delegation_service_pb2_grpc.add_DelegationServiceServicer_to_server(
        DelegationServicer(authority.delegations), server
    )
    diagnostics_service_pb2_grpc.add_DiagnosticsServiceServicer_to_server(
        DiagnosticsServicer(authority.diagnostics), server
    )
    key_service_pb2_grpc.add_KeyServiceServicer_to_server(KeyServicer(authority), server)
    policy_service_pb2_grpc.add_PolicyServiceServicer_to_server(
        PolicyServicer(authority.catalogue, authority.activations, authority.trials), server
    )
    retention_service_pb2_grpc.add_RetentionServiceServicer_to_server(
        RetentionServicer(authority.retention), server
    )
    revocation_service_pb2_grpc.add_RevocationServiceServicer_to_server(
        RevocationServicer(authority.revocations, feed, authority.propagation), server
    )
    session_service_pb2_grpc.add_SessionServiceServicer_to_server(
        SessionServicer(authority.sessions, authority.leases, authority.suspensions), server
    )
    token_service_pb2_grpc.add_TokenServiceServicer_to_server(
        TokenServicer(authority.exchange, authority.consumption, authority.proving.proofs, peers),
        server,
    )


def _add_declared(server: grpc.aio.Server, authority: Authority) -> None:
    """What zones declare, whole and piece by piece."""
    objects, edits = authority.objects, authority.edits
    application_service_pb2_grpc.add_ApplicationServiceServicer_to_server(
        ApplicationServicer(objects, edits), server
    )
    credential_service_pb2_grpc.add_CredentialServiceServicer_to_server(
        CredentialServicer(authority.credentials), server
    )
    issuer_service_pb2_grpc.add_IssuerServiceServicer_to_server(
        IssuerServicer(objects, edits), server
    )
    proof_system_service_pb2_grpc.add_ProofSystemServiceServicer_to_server(
        ProofSystemServicer(objects, edits), server
    )
    resource_service_pb2_grpc.add_ResourceServiceServicer_to_server(
        ResourceServicer(objects, edits), server
    )
    workload_issuer_service_pb2_grpc.add_WorkloadIssuerServiceServicer_to_server(
        WorkloadIssuerServicer(objects, edits), server
    )
    upstream_service_pb2_grpc.add_UpstreamServiceServicer_to_server(
        UpstreamServicer(authority.upstreams, objects, edits), server
    )
    zone_service_pb2_grpc.add_ZoneServiceServicer_to_server(
        ZoneServicer(authority.zones, authority.zone_edits, authority.removal, authority.freezing),
        server,
    )
