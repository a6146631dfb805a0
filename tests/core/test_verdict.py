"""The verdict: the first reason in a fixed order, each of them by itself."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import LEEWAY
from caracal_grpc.core.mandate import Hop, Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.verdict import judge
from tests.core.samples import CALL, NOW, TRUST, mandate, mandates
from tests.support.refusals import refused

FAMILY = "resource://orders/*"
HOPS = tuple(Hop(f"app_{n}", f"ses_{n}") for n in range(6))

FAULTS: list[tuple[Reason, dict[str, Any]]] = [
    (Reason.ISSUER_MISMATCH, {"issuer": "https://evil.example/zones/shop"}),
    (Reason.ZONE_MISMATCH, {"zone": "mall"}),
    (Reason.USE_MISMATCH, {"use": "session"}),
    (Reason.AUDIENCE_MISMATCH, {"resource": "resource://payments"}),
    (Reason.MANDATE_EXPIRED, {"issued_at": NOW - 300, "expires_at": NOW - LEEWAY}),
    (Reason.MANDATE_NOT_YET_VALID, {"issued_at": NOW + LEEWAY + 1, "expires_at": NOW + 60}),
    (Reason.MANDATE_LIFETIME_EXCEEDED, {"issued_at": NOW, "expires_at": NOW + 901}),
    (Reason.HOPS_EXCEEDED, {"chain": HOPS}),
    (Reason.BINDING_MISMATCH, {"binding": "thumbprint"}),
    (Reason.SCOPE_INSUFFICIENT, {"scopes": frozenset({"orders:cancel"})}),
    (Reason.MANDATE_REVOKED, {"jti": "mnd_dead"}),
]
DEAD = frozenset({"mnd_dead"})


def test_good_mandate_passes() -> None:
    """Nothing to say."""
    judge(mandate(), TRUST, CALL, DEAD)


@pytest.mark.parametrize(("reason", "fault"), FAULTS, ids=[str(reason) for reason, _ in FAULTS])
def test_each_fault_has_its_reason(reason: Reason, fault: dict[str, Any]) -> None:
    """One thing wrong, one reason."""
    with refused(reason):
        judge(mandate(**fault), TRUST, CALL, DEAD)


@pytest.mark.parametrize(("first", "second"), list(pairwise(FAULTS)), ids=lambda each: str(each[0]))
def test_first_reason_counts(
    first: tuple[Reason, dict[str, Any]], second: tuple[Reason, dict[str, Any]]
) -> None:
    """The order of checks is part of the contract."""
    with refused(first[0]):
        judge(mandate(**(second[1] | first[1])), TRUST, CALL, DEAD)


@pytest.mark.parametrize("late", [0, LEEWAY - 0.001])
def test_leeway_forgives_slow_and_fast_clocks(late: float) -> None:
    """Five seconds on both sides."""
    judge(mandate(issued_at=NOW - 60, expires_at=NOW), TRUST, replace(CALL, now=NOW + late), DEAD)
    judge(mandate(issued_at=NOW, expires_at=NOW + 60), TRUST, replace(CALL, now=NOW - late), DEAD)


@pytest.mark.parametrize("life", [0, -1, -300])
def test_mandate_that_never_lived(life: int) -> None:
    """MANDATE_LIFETIME_EXCEEDED for an end before its beginning, inside the leeway, too."""
    with pytest.raises(CaracalError):
        judge(mandate(issued_at=NOW + 4, expires_at=NOW + 4 + life), TRUST, CALL, DEAD)


def test_bound_mandate_needs_its_certificate() -> None:
    """BINDING_MISMATCH without one, with another; the holder passes, and so does an unbound one."""
    bound = mandate(binding="mine")
    for presented in (None, "other", ""):
        with refused(Reason.BINDING_MISMATCH):
            judge(bound, TRUST, replace(CALL, binding=presented), DEAD)
    judge(bound, TRUST, replace(CALL, binding="mine"), DEAD)
    judge(mandate(), TRUST, replace(CALL, binding="mine"), DEAD)


def test_hops_are_counted_not_believed() -> None:
    """As many as the zone allows pass."""
    held = {"application": "app_4", "session": "ses_4"}
    judge(mandate(chain=HOPS[:5], **held), TRUST, CALL, DEAD)


@given(mandates(), st.data())
def test_any_anchor_kills(value: Mandate, data: st.DataObject) -> None:
    """Whichever anchor is dead, the mandate is, and the refusal names it."""
    trust = replace(TRUST, issuer=value.issuer, zone=value.zone, max_ttl=3600, max_hops=10)
    call = replace(
        CALL,
        use=value.use,
        audience=value.resource,
        scopes=value.scopes,
        now=float(value.issued_at),
        binding=value.binding,
    )
    judge(value, trust, call, frozenset())
    anchor = data.draw(st.sampled_from(value.anchors))
    with refused(Reason.MANDATE_REVOKED) as seen:
        judge(value, trust, call, frozenset({anchor, "other"}))
    assert seen.metadata == {"anchor": anchor}


def test_what_is_older_than_the_floor_is_dead() -> None:
    """MANDATE_REVOKED, naming the zone; what is as old lives, and the scopes are judged first."""
    floor = replace(TRUST, issued_before=NOW - 10)
    judge(mandate(issued_at=NOW - 10), floor, CALL, DEAD)
    older = mandate(issued_at=NOW - 11)
    judge(older, TRUST, CALL, DEAD)
    with refused(Reason.MANDATE_REVOKED) as seen:
        judge(older, floor, CALL, DEAD)
    assert seen.metadata == {"anchor": "shop"}
    with refused(Reason.SCOPE_INSUFFICIENT):
        judge(older, floor, replace(CALL, scopes=frozenset({"other"})), DEAD)


def test_missing_scopes_are_named() -> None:
    """What is required and what lacks."""
    call = replace(CALL, scopes=frozenset({"orders:place", "b", "a"}))
    with refused(Reason.SCOPE_INSUFFICIENT) as seen:
        judge(mandate(), TRUST, call, DEAD)
    assert seen.metadata == {"required": "a b orders:place", "missing": "a b"}


def test_any_resource_of_a_family_will_do_where_the_call_says_so() -> None:
    """One of it passes; the family, what is above and what is below are other resources."""
    call = replace(CALL, audience=FAMILY, any_member=True)
    judge(mandate(resource="resource://orders/o-17"), TRUST, call, DEAD)
    for other in (FAMILY, "resource://orders", "resource://orders/", "resource://orders/o/17"):
        with refused(Reason.AUDIENCE_MISMATCH) as seen:
            judge(mandate(resource=other), TRUST, call, DEAD)
        assert seen.metadata == {"expected": FAMILY}


def test_no_family_is_understood_where_the_call_names_a_resource() -> None:
    """An audience is compared as it is."""
    with refused(Reason.AUDIENCE_MISMATCH):
        judge(mandate(resource="resource://orders/o-17"), TRUST, CALL, DEAD)
