"""Header fields that a credential can go in."""

from __future__ import annotations

import pytest

from caracal_grpc.core.header_field import is_value, name_problem


@pytest.mark.parametrize("name", ["x-api-key", "cookie", "proxy-authorization", "a", "x_a.b~c"])
def test_name_that_the_upstream_reads(name: str) -> None:
    """Nothing is wrong with it."""
    assert name_problem(name) == ""


@pytest.mark.parametrize("name", ["", "X-Api-Key", ":path", "a b", "a\n", "a:", "ä", "a" * 129])
def test_name_that_is_none(name: str) -> None:
    """As HTTP/2 writes them."""
    assert "lower case" in name_problem(name)


@pytest.mark.parametrize(
    "name",
    [
        "host",
        "te",
        "content-length",
        "grpc-timeout",
        "x-envoy-retry-on",
        "x-caracal-chain",
        "my-caracal-key",
    ],
)
def test_name_that_says_something_else(name: str) -> None:
    """How a request is read, where it goes, or what the gateway says itself."""
    assert "no header for a credential" in name_problem(name)


@pytest.mark.parametrize("text", ["a", "a b", "!~", "a,b"])
def test_value_that_is_one(text: str) -> None:
    """Printable ASCII."""
    assert is_value(text)


@pytest.mark.parametrize("text", ["", " a", "a ", "a\n", "a\r\nb: c", "ä", "\x7f", "\x00"])
def test_value_that_is_none(text: str) -> None:
    """Nothing that could end it, or that two readers read differently."""
    assert not is_value(text)
