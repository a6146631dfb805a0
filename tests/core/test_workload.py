"""What workloads are by the word of others: who matches, what is refused, how it is kept."""

from __future__ import annotations

from itertools import product

import pytest

from caracal_grpc.core.application import Application
from caracal_grpc.core.limits import MAX_SPIFFE_ID
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.workload import (
    KubernetesIdentity,
    Shown,
    WorkloadIdentity,
    identity_of,
    require_identity,
)
from tests.support.refusals import refused

WEB = "spiffe://shop.example/ns/shop/sa/web"
PRINT = "A" * 42 + "E"
ACCOUNT = KubernetesIdentity("cluster", "shop", "web")
IDENTITIES = {
    "spiffe_id": WorkloadIdentity(spiffe_id=WEB),
    "dns_name": WorkloadIdentity(dns_name="web.shop.example"),
    "certificate_thumbprint": WorkloadIdentity(certificate_thumbprint=PRINT),
    "kubernetes": WorkloadIdentity(kubernetes=ACCOUNT),
}
SHOWN = {
    "spiffe_id": Shown(spiffe_id=WEB),
    "dns_name": Shown(dns_names=frozenset({"other.example", "Web.Shop.example"})),
    "certificate_thumbprint": Shown(thumbprint=PRINT),
    "kubernetes": Shown(kubernetes=ACCOUNT),
}


@pytest.mark.parametrize(("member", "shown"), list(product(IDENTITIES, SHOWN)))
def test_each_identity_is_shown_by_its_own_proof(member: str, shown: str) -> None:
    """And by nothing else."""
    assert IDENTITIES[member].member == member
    assert IDENTITIES[member].matches(SHOWN[shown]) == (member == shown)


def test_nothing_is_nobody() -> None:
    """Neither who shows nothing, nor an identity that says nothing, is anybody."""
    assert not any(each.matches(Shown()) for each in IDENTITIES.values())
    assert not any(WorkloadIdentity().matches(each) for each in (Shown(), *SHOWN.values()))
    assert not WorkloadIdentity(spiffe_id="").matches(Shown(spiffe_id=""))


@pytest.mark.parametrize(
    "account",
    [
        KubernetesIdentity("other", "shop", "web"),
        KubernetesIdentity("cluster", "mall", "web"),
        KubernetesIdentity("cluster", "shop", "web2"),
    ],
)
def test_account_of_another_is_another(account: KubernetesIdentity) -> None:
    """By its cluster, its namespace and its name."""
    assert not IDENTITIES["kubernetes"].matches(Shown(kubernetes=account))


def test_application_is_who_shows_one_of_its_identities() -> None:
    """The first that is shown is told; another application's is none of it."""
    application = Application("app", "web", "ses", identities=tuple(IDENTITIES.values()))
    shown = Shown(spiffe_id=WEB, thumbprint=PRINT)
    assert application.identity_of(shown) == IDENTITIES["spiffe_id"]
    assert application.identity_of(Shown(spiffe_id=f"{WEB}2")) is None
    assert identity_of((), shown) is None


def test_identities_survive_the_store() -> None:
    """Each as the one thing that it is."""
    application = Application(
        "app", "web", "ses", identities=tuple(IDENTITIES.values()), jwks='{"keys": []}'
    )
    value = application.to_value()
    assert Application.from_value(value) == application
    assert value["identities"][0] == {"spiffe_id": WEB}


@pytest.mark.parametrize("identity", list(IDENTITIES.values()), ids=str)
def test_well_formed_identity_is_taken(identity: WorkloadIdentity) -> None:
    """As it is."""
    assert require_identity("i", identity) == identity
    assert str(identity)


@pytest.mark.parametrize(
    ("identity", "field"),
    [
        (WorkloadIdentity(), "i"),
        (WorkloadIdentity(spiffe_id=WEB, dns_name="a.example"), "i"),
        (WorkloadIdentity(spiffe_id="spiffe://a/*"), "i.spiffe_id"),
        (WorkloadIdentity(spiffe_id="spiffe://a/" + "b" * MAX_SPIFFE_ID), "i.spiffe_id"),
        *(
            (WorkloadIdentity(dns_name=name), "i.dns_name")
            for name in (
                "Web.example",
                "*.example",
                "web.example.",
                ".example",
                "a..b",
                "-a.example",
                "a-.example",
                "a b",
                "10.0.0.1",
                "2130706433",
                "é.example",
                "a.example\n",
                "a" * 64,
                ".".join(["a" * 63] * 4),
            )
        ),
        *(
            (WorkloadIdentity(certificate_thumbprint=text), "i.certificate_thumbprint")
            for text in ("A" * 42, "A" * 44, "A" * 42 + "B", "A" * 42 + "=", "+" + PRINT[1:])
        ),
        (
            WorkloadIdentity(kubernetes=KubernetesIdentity("c", "Shop", "web")),
            "i.kubernetes.namespace",
        ),
        (
            WorkloadIdentity(kubernetes=KubernetesIdentity("c", "a.b", "web")),
            "i.kubernetes.namespace",
        ),
        (
            WorkloadIdentity(kubernetes=KubernetesIdentity("c", "shop", "")),
            "i.kubernetes.service_account",
        ),
        (
            WorkloadIdentity(kubernetes=KubernetesIdentity("c", "shop", "web:x")),
            "i.kubernetes.service_account",
        ),
    ],
)
def test_odd_identity_is_refused(identity: WorkloadIdentity, field: str) -> None:
    """FIELD_INVALID names the member that is wrong."""
    with refused(Reason.FIELD_INVALID) as seen:
        require_identity("i", identity)
    assert seen.fields == [field]


@pytest.mark.parametrize("name", ["localhost", "a.b", "_x.example", "a" * 63, "10.0.0.1a"])
def test_dns_names_that_certificates_have(name: str) -> None:
    """Of one label or several, of letters, digits, hyphens and underscores."""
    require_identity("i", WorkloadIdentity(dns_name=name))


def test_overlap_is_of_the_same_member() -> None:
    """Patterns by what both hold of; all else only when it is equal."""
    pattern = WorkloadIdentity(spiffe_id="spiffe://shop.example/ns/*/sa/web")
    assert pattern.overlaps(IDENTITIES["spiffe_id"])
    for one, other in product(IDENTITIES.values(), repeat=2):
        assert one.overlaps(other) == (one is other)
