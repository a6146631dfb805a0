"""The resource of a rule: the method's before the service's, and a field of the request."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.rules.matrix import cells, findings, matrix
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.testing import assert_rules
from tests.support.order_protos import PLACE, orders
from tests.support.refusals import refused

TEMPLATE = "resource://orders/{order.id}"
FAMILY = {"resource://orders/*": {"orders:place"}}
BAD = {
    "resource://orders/{no}": "takes a field no that",
    "resource://orders/{order.no}": "takes a field no that orders.test.Order does not have",
    "resource://orders/{ids}": "is repeated",
    "resource://orders/{flag}": "neither a string nor an integer",
    "resource://orders/{order}": "neither a string nor an integer",
    "resource://orders/{order_id.id}": "is no message",
    "resource://orders/{}": "in braces",
    "resource://orders/*": "names a family",
    "resource://{order_id}": "for its whole last part",
    "resource://orders/{order_id}/{order.id}": "for its whole last part",
}


def rule(resource: str = "", **more: Any) -> dict[str, Any]:
    """A rule that names a resource."""
    return {"scopes": ["orders:place"], "resource": resource, **more}


def test_the_resource_of_a_method_wins() -> None:
    """And the service's stands where it names none."""
    for own, expected in (
        ("resource://drafts", "resource://drafts"),
        (TEMPLATE, TEMPLATE),
        ("", "resource://orders"),
    ):
        found = Rules.from_descriptors(orders(rule(own))).find(PLACE)
        assert found is not None
        assert found.resource == expected


def test_descriptor_and_mapping_read_the_same_template() -> None:
    """It is worked out when the rule is read."""
    declared = Rules.from_descriptors(orders(rule(TEMPLATE))).find(PLACE)
    mapped = Rules.from_mapping({PLACE: rule(TEMPLATE)}).find(PLACE)
    assert declared == mapped
    assert declared is not None
    assert mapped is not None
    assert declared.template == mapped.template
    assert declared.template is not None
    assert declared.template.path == ("order", "id")


def test_a_template_of_the_service_is_for_each_method() -> None:
    """Its field must be in the requests of each."""
    found = Rules.from_descriptors(orders(rule(), resource=TEMPLATE)).find(PLACE)
    assert found is not None
    assert found.template is not None


@pytest.mark.parametrize(("resource", "text"), BAD.items())
def test_a_half_written_template_counts_as_not_declared(
    resource: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says which method and why, and so does the matrix."""
    service = orders(rule(resource))
    with caplog.at_level(logging.ERROR):
        assert Rules.from_descriptors(service).find(PLACE) is None
    assert PLACE in caplog.text
    assert text in caplog.text
    (found,) = findings(matrix([service]), FAMILY)
    assert (found.path, found.kind) == (PLACE, "half-written")
    assert text in found.text


@pytest.mark.parametrize("resource", [each for each in BAD if "{" not in each or "}/{" in each])
def test_a_half_written_template_of_a_mapping_is_refused(resource: str) -> None:
    """With its place; the fields of requests are not known there."""
    with refused(Reason.FIELD_INVALID) as seen:
        Rules.from_mapping({PLACE: rule(resource)})
    assert seen.fields == [f"{PLACE}.resource"]


def test_a_public_method_names_no_resource() -> None:
    """It asks for nothing."""
    public = {"public": True, "public_reason": "for tests", "resource": TEMPLATE}
    assert Rules.from_descriptors(orders(public)).find(PLACE) is None
    with refused(Reason.FIELD_INVALID):
        Rules.from_mapping({PLACE: public})


def test_the_matrix_holds_an_override_against_the_requests() -> None:
    """Before a first call has to."""
    overrides = {PLACE: rule("resource://orders/{nothing}")}
    with pytest.raises(AssertionError, match="nothing"):
        assert_rules(orders(rule()), overrides=overrides)
    assert_rules(orders(rule()), overrides={PLACE: rule(TEMPLATE)})


def test_the_matrix_shows_the_template_as_it_is_written() -> None:
    """In the column of resources."""
    (row,) = matrix([orders(rule(TEMPLATE))])
    assert cells(row)["resource"] == TEMPLATE


def test_the_zone_declares_the_family() -> None:
    """With the scopes; a resource that it declares by itself is no family."""
    service = orders(rule(TEMPLATE))
    assert_rules(service, resources=FAMILY)
    for resources, text in (
        ({"resource://orders": {"orders:place"}}, "declare resource://orders/* there"),
        ({"resource://orders/o-17": {"orders:place"}}, "declare resource://orders/* there"),
        ({"resource://orders/*": {"orders:track"}}, "asks for orders:place"),
    ):
        with pytest.raises(AssertionError) as caught:
            assert_rules(service, resources=resources)
        assert text in str(caught.value)


def test_a_rule_for_one_of_a_family_is_of_the_family() -> None:
    """Unless the zone declares that one by itself."""
    service = orders(rule("resource://orders/inbox"))
    assert_rules(service, resources=FAMILY)
    own = {**FAMILY, "resource://orders/inbox": {"inbox:read"}}
    with pytest.raises(AssertionError, match="asks for orders:place"):
        assert_rules(service, resources=own)
