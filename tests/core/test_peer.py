"""Peers: what policy hears of one, what the ledger keeps, and what tells two apart."""

from __future__ import annotations

import pytest

from caracal_grpc.core.entry import MAX_TEXT
from caracal_grpc.core.peer import Peer
from caracal_grpc.core.workload import KubernetesIdentity, Shown

WEB = "spiffe://mesh.example/ns/shop/sa/web"
POD = KubernetesIdentity("cluster", "shop", "pod")
WHOLE = Peer("ipv4:10.0.0.7:1", WEB, ("a.test", "b.test"), "A" * 43, False, POD, "certificate")


def test_nobody_is_no_peer() -> None:
    """So policy can tell a question that nobody asks."""
    assert Peer().to_input() is None
    assert Peer(method="secret").to_input() is None
    assert (Peer().identity, Peer().to_details()) == ((), {})


def test_policy_hears_all_that_is_proven() -> None:
    """Under names that do not change with the kind."""
    assert WHOLE.to_input() == {
        "address": "ipv4:10.0.0.7:1",
        "method": "certificate",
        "spiffe_id": WEB,
        "dns_names": ["a.test", "b.test"],
        "thumbprint": "A" * 43,
        "kubernetes": {"issuer": "cluster", "namespace": "shop", "service_account": "pod"},
    }


def test_certificate_shows_itself_and_no_more() -> None:
    """The account of a token is no name of a certificate."""
    assert WHOLE.shown == Shown(WEB, frozenset({"a.test", "b.test"}), "A" * 43, None)


def test_ledger_keeps_what_is_there() -> None:
    """Without the address, which has a field of its own, and bounded."""
    assert WHOLE.to_details() == {
        "method": "certificate",
        "spiffe_id": WEB,
        "dns_names": ("a.test", "b.test"),
        "certificate": "A" * 43,
        "kubernetes": "cluster/shop/pod",
    }
    long = Peer(spiffe_id=f"{WEB}{'x' * MAX_TEXT}\n").to_details()["spiffe_id"]
    assert isinstance(long, str)
    assert (len(long), "\n" in long) == (MAX_TEXT, False)


@pytest.mark.parametrize(
    "other",
    [
        Peer(spiffe_id=f"{WEB}2"),
        Peer(thumbprint="A" * 43),
        Peer(dns_names=("a.test",)),
        Peer(kubernetes=POD),
        Peer(spiffe_id=WEB, method="jwt_svid"),
        Peer(dns_names=(WEB,)),
        Peer(thumbprint=WEB),
    ],
)
def test_peers_that_differ_are_two(other: Peer) -> None:
    """In whatever is proven."""
    assert other.identity != Peer(spiffe_id=WEB).identity
    assert other.identity


def test_address_and_secret_tell_nobody_apart() -> None:
    """One workload calls from many places."""
    assert Peer("ipv4:10.0.0.7:1", method="secret").identity == ()
    assert Peer("a", WEB).identity == Peer("b", WEB).identity
