"""Ceilings: nothing ever comes out wider than it went in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.core.ceiling import UNBOUNDED, Ceiling, narrow, reachable
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from tests.support.refusals import refused

SCOPES = st.frozensets(st.sampled_from("abcde"))
FAMILY, MEMBER = "resource://orders/*", "resource://orders/o-17"
RESOURCES = st.sampled_from(["r1", "r2", FAMILY, MEMBER, "resource://orders/o-18"])
CEILINGS = st.one_of(
    st.just(UNBOUNDED), st.builds(Ceiling, st.dictionaries(RESOURCES, SCOPES, max_size=2))
)


@given(CEILINGS)
def test_stored_form_is_the_ceiling(ceiling: Ceiling) -> None:
    """There and back."""
    assert Ceiling.from_value(ceiling.to_value()) == ceiling


@given(CEILINGS, RESOURCES, SCOPES)
def test_ceiling_only_takes_away(ceiling: Ceiling, resource: str, scopes: frozenset[str]) -> None:
    """What lies under it is a part of what was held under it, and asking twice changes nothing."""
    kept = ceiling.on(resource, scopes)
    assert kept <= scopes
    assert ceiling.on(resource, kept) == kept


@given(CEILINGS, CEILINGS, CEILINGS)
def test_within_is_an_order(low: Ceiling, middle: Ceiling, high: Ceiling) -> None:
    """Reflexive and transitive, with no bound on top."""
    assert low.within(low)
    assert low.within(UNBOUNDED)
    if low.within(middle) and middle.within(high):
        assert low.within(high)


@given(CEILINGS, CEILINGS, RESOURCES, SCOPES)
def test_lower_ceiling_gives_no_more(
    low: Ceiling, high: Ceiling, resource: str, scopes: frozenset[str]
) -> None:
    """`within` means just that."""
    if low.within(high):
        assert low.on(resource, scopes) <= high.on(resource, scopes)


@given(SCOPES, SCOPES, st.lists(CEILINGS, max_size=4))
def test_narrowing_never_widens(
    declared: frozenset[str], requested: frozenset[str], ceilings: list[Ceiling]
) -> None:
    """The answer is under everything; a request that names scopes gets them all or a refusal."""
    bounds = [(f"s{index}", ceiling) for index, ceiling in enumerate(ceilings)]
    try:
        kept, steps = narrow("r1", declared, requested, bounds)
    except CaracalError as error:
        assert error.reason in {Reason.SCOPE_INSUFFICIENT, Reason.CEILING_EXCEEDED}
        return
    assert kept <= declared
    assert not requested or kept == requested
    assert all(ceiling.on("r1", kept) == kept for ceiling in ceilings)
    assert steps[-1].kept == tuple(sorted(kept))
    sizes = [len(step.kept) for step in steps]
    assert sizes == sorted(sizes, reverse=True)


@given(SCOPES, st.lists(CEILINGS, max_size=4))
def test_reachable_is_what_an_empty_request_gets(
    declared: frozenset[str], ceilings: list[Ceiling]
) -> None:
    """The same as a narrowing of everything, but that nothing at all is no refusal."""
    bounds = [(f"s{index}", ceiling) for index, ceiling in enumerate(ceilings)]
    try:
        kept, _ = narrow("r1", declared, frozenset(), bounds)
    except CaracalError:
        kept = frozenset()
    assert reachable("r1", declared, bounds) == kept


def test_ceiling_that_bounds_is_named() -> None:
    """CEILING_EXCEEDED with the session whose ceiling it is."""
    low = Ceiling({"r1": frozenset("a")})
    with refused(Reason.CEILING_EXCEEDED) as seen:
        narrow("r1", frozenset("ab"), frozenset("b"), [("top", UNBOUNDED), ("low", low)])
    assert seen.metadata == {"session": "low"}


def test_nothing_left_is_a_refusal() -> None:
    """An empty request that nothing remains of is refused, too."""
    with refused(Reason.CEILING_EXCEEDED):
        narrow("r2", frozenset("ab"), frozenset(), [("low", Ceiling({"r1": frozenset("a")}))])


def test_unknown_scope_is_named_before_any_ceiling() -> None:
    """SCOPE_INSUFFICIENT."""
    with refused(Reason.SCOPE_INSUFFICIENT):
        narrow("r1", frozenset("a"), frozenset("z"), [("low", Ceiling({}))])


def test_each_step_of_a_narrowing_is_told() -> None:
    """What bounded an empty request, and what remained after it."""
    low = Ceiling({"r1": frozenset("a")})
    kept, steps = narrow("r1", frozenset("ab"), frozenset(), [("top", UNBOUNDED), ("low", low)])
    assert kept == {"a"}
    assert [(step.by, step.kept) for step in steps] == [("r1", ("a", "b")), ("low", ("a",))]


def test_ceiling_on_a_family_admits_each_resource_of_it() -> None:
    """Besides what it says of the resource itself; and of no other."""
    ceiling = Ceiling({FAMILY: frozenset("a"), MEMBER: frozenset("b")})
    assert ceiling.on(MEMBER, frozenset("abc")) == {"a", "b"}
    assert ceiling.on("resource://orders/o-18", frozenset("abc")) == {"a"}
    for other in ("resource://orders", "resource://orders/a/b", "resource://stock/o-17"):
        assert ceiling.on(other, frozenset("abc")) == frozenset()


def test_one_of_a_family_is_narrower_than_the_family() -> None:
    """And never the other way round."""
    family, member = Ceiling({FAMILY: frozenset("ab")}), Ceiling({MEMBER: frozenset("ab")})
    assert member.within(family)
    assert not family.within(member)
    assert not Ceiling({MEMBER: frozenset("abc")}).within(family)
