"""Paths that two servers could read in two ways are refused; templates match what they say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.interceptors.testing import refused
from caracal_grpc.mesh.paths import MAX_PATH, PathTemplate, folded, require_path, segments_of

GOOD = [
    "/",
    "/orders",
    "/orders/",
    "/orders/42",
    "/orders/42:cancel",
    "/a/b.c/~d/e-f_g",
    "/caf%C3%A9/a%20b",
    "/caracal.test.Cell/Call",
    "/a@b/(c)/d,e=f&g+h$i!j*k'",
]
BAD = [
    "",
    "*",
    "orders",
    "http://shop.test/orders",
    "//",
    "//orders",
    "/orders//42",
    "/orders/../admin",
    "/orders/..",
    "/./orders",
    "/.../orders",
    "/orders/%2e%2e/admin",
    "/orders/.%2E/admin",
    "/orders%2f42",
    "/orders%2F42",
    "/orders\\42",
    "/orders%5C42",
    "/%70ay",
    "/p%41y",
    "/orders%00",
    "/orders%0d%0a",
    "/orders\r\n",
    "/orders\n",
    "/orders\x7f",
    "/orders%252f42",
    "/orders;v=1",
    "/orders%3bv=1",
    "/orders%",
    "/orders%4",
    "/orders%zz",
    "/orders%C0%AF42",
    "/orders%FF",
    "/orders#there",
    "/orders?a=b",
    "/orders 42",
    "/café",
    "/" + "a" * MAX_PATH,
    "/a" * 65,
]


@pytest.mark.parametrize("path", GOOD)
def test_a_path_that_reads_in_one_way_is_taken_as_it_is(path: str) -> None:
    """Nothing is rewritten: what is judged is what the upstream gets."""
    assert require_path(path) == path


@pytest.mark.parametrize("path", BAD)
def test_a_path_that_reads_in_two_ways_is_refused(path: str) -> None:
    """By dots, slashes, escapes, controls or length."""
    with refused("FIELD_INVALID") as refusal:
        require_path(path)
    assert refusal.fields == ["path"]


@given(st.text(max_size=40) | st.from_regex(r"(/[a-z.%0-9;\\-]{0,5}){1,6}", fullmatch=True))
def test_what_is_taken_has_no_other_reading(path: str) -> None:
    """Whoever unescapes it once or twice, or joins slashes, comes to the same segments."""
    try:
        require_path(path)
    except CaracalError:
        return
    assert path.startswith("/")
    assert all(segments_of(path)[:-1]) or path == "/"
    assert not {".", ".."} & {folded(each) for each in segments_of(path)}
    assert not any(mark in path for mark in ("\\", ";", "?", "#", "//"))
    assert all(set("/\\").isdisjoint(folded(each)) for each in segments_of(path))


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("/orders", set()),
        ("/", set()),
        ("/**", set()),
        ("/files/**", set()),
        ("/orders/{order_id}", {"order_id"}),
        ("/shops/{shop}/orders/{order}:cancel", {"shop", "order"}),
        ("/shops/{shop}/**", {"shop"}),
    ],
)
def test_a_template_names_its_variables(text: str, variables: set[str]) -> None:
    """They are what a resource may be made of."""
    assert PathTemplate.parse(text).variables == variables


@pytest.mark.parametrize(
    "text",
    [
        "orders",
        "",
        "/orders/*",
        "/**/orders",
        "/orders**",
        "/{a}/{a}",
        "/x{a}",
        "/{a}x",
        "/{}",
        "/{a b}",
        "/{a.b}",
        "/a//b",
        "/a/../b",
        "/a%2fb",
        "/%70ay",
        "/{a}:",
        "/{a",
        "/a}",
        "/a/***",
    ],
)
def test_a_template_that_no_path_could_match_is_refused(text: str) -> None:
    """At start, and not at the first request."""
    with refused("FIELD_INVALID") as refusal:
        PathTemplate.parse(text, "routes[0].path")
    assert refusal.fields == ["routes[0].path"]
