"""Resources by the field of a request: half-written ones, and what a value can make of one."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import family_of, is_family, require_resource
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.resource_template import ResourceTemplate, parse
from caracal_grpc.core.rule import Rule
from tests.support.refusals import refused

ORDERS = ResourceTemplate("resource://orders/", ("order", "id"))
PARTS = st.text("abYZ09-_.~", min_size=1, max_size=128)
VALUES = st.one_of(st.text(max_size=130), PARTS, st.integers())


def test_a_template_is_a_family_and_a_path() -> None:
    """Read once; a plain name is none."""
    assert parse("f", "resource://orders/{order.id}") == ORDERS
    assert ORDERS.family == "resource://orders/*"
    assert parse("f", "resource://orders") is None
    assert parse("f", "resource://shops/eu/{id}") == ResourceTemplate(
        "resource://shops/eu/", ("id",)
    )


@pytest.mark.parametrize(
    "resource",
    [
        "resource://orders/*",
        "resource://orders/{}",
        "resource://orders/{id",
        "resource://orders/id}",
        "resource://orders/{{id}}",
        "resource://orders/{id}*",
        "resource://orders/o-{id}",
        "resource://orders/{id}-o",
        "resource://orders/{shop}/{id}",
        "resource://{shop}/orders",
        "resource://{id}",
        "resource://orders{id}",
        "resource://orders/{a.}",
        "resource://orders/{.a}",
        "resource://orders/{a..b}",
        "resource://orders/{a b}",
        "resource://orders/{1a}",
        "resource://orders/{\u00e9}",
        "resource://orders/{id}\n",
        "resource://Orders/{id}",
        "resource:///{id}",
        "orders/{id}",
        "{id}",
        f"resource://{'a' * 65}/{{id}}",
        f"resource://orders/{{{'.'.join('abcdefghi')}}}",
        f"resource://orders/{{{'a' * 65}}}",
    ],
)
def test_a_half_written_template_is_refused(resource: str) -> None:
    """By the rule that has it, too, with the place."""
    with refused(Reason.FIELD_INVALID):
        parse("f", resource)
    with refused(Reason.FIELD_INVALID) as seen:
        Rule("/s/M", resource, frozenset("a"))
    assert seen.fields == ["/s/M.resource"]


def test_a_rule_reads_its_template_and_keeps_its_text() -> None:
    """So that it is shown as it was written; rules are equal by what is written."""
    rule = Rule("/s/M", "resource://orders/{order.id}", frozenset("a"))
    assert (rule.resource, rule.template) == ("resource://orders/{order.id}", ORDERS)
    assert Rule("/s/M", "resource://orders", frozenset("a")).template is None
    with refused(Reason.FIELD_INVALID):
        Rule("/s/M", "resource://orders/{id}", public=True, public_reason="for tests")


@given(VALUES)
@example("o-17")
@example("..")
@example("")
@example("a" * 129)
@example(-1)
def test_a_value_names_one_resource_of_the_family_or_is_refused(value: str | int) -> None:
    """Nothing else comes of it, and the refusal does not hold the value."""
    try:
        name = ORDERS.resource(value)
    except CaracalError as error:
        assert error.reason is Reason.FIELD_INVALID
        assert [violation.field for violation in error.violations] == ["order.id"]
        assert len(error.message) < 200
        assert isinstance(value, str)
        return
    assert require_resource("name", name) == name
    assert family_of(name) == ORDERS.family
    assert not is_family(name)
    assert name.removeprefix("resource://orders/") == str(value)


@given(VALUES, VALUES)
def test_two_values_never_name_the_same_resource(one: str | int, other: str | int) -> None:
    """A field has values of one type; of two, at most one may be what a mandate is for."""
    if type(one) is not type(other) or one == other:
        return
    names = set()
    for value in (one, other):
        try:
            names.add(ORDERS.resource(value))
        except CaracalError:
            names.add(object())
    assert len(names) == 2


@given(st.text(st.sampled_from("abA0/.*~-{}"), max_size=12))
def test_a_name_has_a_family_only_if_it_is_a_resource(name: str) -> None:
    """Families have none themselves, so that nothing is of a family of families."""
    name = f"resource://{name}"
    family = family_of(name)
    if family is not None:
        assert require_resource("name", name) == name
        assert is_family(family)
        assert family_of(family) is None


@pytest.mark.parametrize("value", [".", "..", "." * 128, "", "a/b", "*", " a", "a\n", "\u0661"])
def test_what_could_be_read_as_something_else_is_no_part(value: str) -> None:
    """Such as a way to another folder, or a digit of another script."""
    with refused(Reason.FIELD_INVALID):
        ORDERS.resource(value)
    assert family_of(f"resource://orders/{value}") != ORDERS.family
