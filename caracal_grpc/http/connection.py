"""Who is at the other end of a connection, as far as it proves that."""

from __future__ import annotations

from starlette.requests import Request

from caracal_grpc.authority.workloads.peers import Peers
from caracal_grpc.core.forwarded import HEADER
from caracal_grpc.core.peer import Peer
from caracal_grpc.http.protocol import CERTIFICATE


def peer_of(peers: Peers, request: Request) -> Peer:
    """The peer, named as gRPC names it: one ledger, one spelling."""
    certificate = request.scope["state"].get(CERTIFICATE)
    return peers.peer(_address(request), certificate, request.headers.getlist(HEADER))


def _address(request: Request) -> str:
    if request.client is None:
        return ""
    host, port = request.client
    return f"ipv6:[{host}]:{port}" if ":" in host else f"ipv4:{host}:{port}"
