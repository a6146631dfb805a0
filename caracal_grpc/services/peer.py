"""Who is at the other end of a call, as far as its connection proves it."""

from __future__ import annotations

from typing import Any

from caracal_grpc.authority.workloads.peers import Peers
from caracal_grpc.core.forwarded import HEADER
from caracal_grpc.core.peer import Peer
from caracal_grpc.interceptors.context.inbound import claimed


def binding_of(peers: Peers, context: Any) -> str | None:
    """The thumbprint of the certificate to which a mandate of the caller may be bound."""
    return peer_of(peers, context).thumbprint or None


def peer_of(peers: Peers, context: Any) -> Peer:
    """The peer of a call, from its connection; its metadata counts when a trusted proxy sent it."""
    certificates = context.auth_context().get("x509_pem_cert")
    certificate = certificates[0] if certificates else None
    return peers.peer(context.peer(), certificate, claimed(context, HEADER))
