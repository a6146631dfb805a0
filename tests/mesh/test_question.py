"""What a proxy asks, read: in each of its shapes, and refused when it says two things."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.crypto.thumbprint import x5t_s256
from caracal_grpc.interceptors.testing import refused
from caracal_grpc.mesh.headers import MAX_HEADER_BYTES, MAX_HEADERS
from caracal_grpc.mesh.question import read
from tests.mesh.asking import GRPC_SHAPES, METHOD, envoy, envoy_joined, grpc_web, http, proxyless
from tests.support.etcd_tls import CertificateAuthority

SPIFFE_ID = "spiffe://mesh.test/ns/shop/sa/web"


@pytest.mark.parametrize("shape", GRPC_SHAPES)
def test_every_shape_says_the_same(shape: str) -> None:
    """Headers as bytes or as text, with a host or without."""
    question = read(GRPC_SHAPES[shape](headers=[("X-Note", "hi"), ("x-request-id", "r-1")]))
    assert (question.verb, question.path) == ("POST", METHOD)
    assert question.host == ("" if shape == "proxyless" else "shop.test")
    assert question.headers.one("x-note") == "hi"
    assert not any(name.startswith(":") for name in question.headers.names)
    assert question.request_id == "r-1"
    assert question.direction == "inbound"
    assert question.proxyless == (shape == "proxyless")


@pytest.mark.parametrize(
    ("content_type", "more", "kind"),
    [
        ("application/grpc", [], "grpc"),
        ("application/grpc+proto", [], "grpc"),
        ("Application/GRPC;charset=utf-8", [], "grpc"),
        ("application/grpc", [("x-grpc-web", "1")], "grpc_web"),
        ("application/grpc-web", [], "grpc_web"),
        ("application/grpc-web-text+proto", [], "grpc_web"),
        ("application/grpcish", [], "http"),
        ("application/json", [], "http"),
        ("", [], "http"),
    ],
)
def test_the_content_type_says_what_a_caller_speaks(
    content_type: str, more: list[tuple[str, str]], kind: str
) -> None:
    """It decides in which form the caller is refused."""
    assert read(envoy(content_type=content_type, headers=more)).kind == kind


def test_what_grpc_itself_asks_about_is_grpc() -> None:
    """Its filter may keep the content type back."""
    assert read(proxyless()).kind == "grpc"


@pytest.mark.parametrize("said", ["id", "host", "scheme"])
def test_what_a_proxy_asks_is_not_what_grpc_itself_does(said: str) -> None:
    """Whatever else looks like it: its caller may speak something else."""
    request = proxyless()
    setattr(request.attributes.request.http, said, "shop.test")
    assert not read(request).proxyless
    request = proxyless()
    request.attributes.context_extensions["caracal"] = "inbound"
    assert not read(request).proxyless


@pytest.mark.parametrize("name", [":path", ":authority", ":method", ":scheme"])
def test_a_header_of_http_2_that_comes_twice_is_refused(name: str) -> None:
    """One of them would be judged, and perhaps the other one served."""
    with refused("FIELD_INVALID"):
        read(http(headers=[(name, "/other")]))


@pytest.mark.parametrize(
    ("host", "read_as"),
    [
        ("Shop.Test:8080", "shop.test"),
        ("shop.test.", "shop.test"),
        ("SHOP.test.:443", "shop.test"),
        ("[::1]:80", "[::1]"),
        ("127.0.0.1:80", "127.0.0.1"),
    ],
)
def test_a_host_is_read_as_a_name(host: str, read_as: str) -> None:
    """Its case, port and last dot are not what routes are written with."""
    assert read(http(host=host)).host == read_as


@pytest.mark.parametrize(
    "host",
    ["a.test,b.test", "a.test b.test", "user@a.test", "a.test/x", "a..test", "::1", "a" * 300],
)
def test_what_is_no_host_is_refused(host: str) -> None:
    """Envoy joins two of them with a comma."""
    with refused("FIELD_INVALID"):
        read(http(host=host))


def test_the_host_and_the_authority_are_one() -> None:
    """Whoever routes by one of them must not be told another."""
    request = http()
    request.attributes.request.http.host = "other.test"
    with refused("FIELD_INVALID"):
        read(request)
    request.attributes.request.http.host = "shop.test."
    assert read(request).host == "shop.test"


def test_a_second_host_is_refused() -> None:
    """One in `:authority`, and another where HTTP/1 has it."""
    with refused("FIELD_INVALID"):
        read(http(headers=[("host", "other.test")]))
    assert read(http(headers=[("host", "shop.test")])).host == "shop.test"


@pytest.mark.parametrize(
    "values",
    [
        ["Bearer a", "Bearer b"],
        ["Bearer a,Bearer b"],
        ["Bearer a, bearer b"],
        ["Basic eA==,Bearer b"],
        ["bearer a,Basic eA=="],
        ["Bearer a,"],
        [" Bearer a,b"],
    ],
)
@pytest.mark.parametrize("shape", [envoy, envoy_joined, http, grpc_web, proxyless])
def test_two_mandates_are_refused(shape: Any, values: list[str]) -> None:
    """Nobody could say which one counts."""
    with refused("MANDATE_MALFORMED"):
        read(shape(headers=[("authorization", value) for value in values]))


def test_another_scheme_may_have_commas() -> None:
    """Public routes are free to authenticate as they like."""
    digest = 'Digest username="a", realm="b"'
    assert read(http(headers=[("authorization", digest)])).headers.one("authorization") == digest


@pytest.mark.parametrize(
    ("changed", "value"),
    [
        ("path", "/other"),
        ("method", "PUT"),
        ("path", ""),
        ("method", "get"),
        ("method", "A" * 33),
        ("path", "/a/../b"),
        ("fragment", "there"),
        ("query", "a\nb"),
        ("query", "a" * 20_000),
    ],
)
def test_what_contradicts_itself_or_is_no_http_is_refused(changed: str, value: str) -> None:
    """Whoever reads only one of two places must not be fooled."""
    request = http()
    if not value:
        del request.attributes.request.http.header_map.headers[:]
    setattr(request.attributes.request.http, changed, value)
    with refused("FIELD_INVALID"):
        read(request)


def test_a_query_is_apart_from_its_path() -> None:
    """Rules are about paths; a query may hold what no record should, and is not kept."""
    question = read(http("/orders/42?token=secret&x=%2F.."))
    assert question.path == "/orders/42"
    assert "secret" not in repr(question)


def test_headers_in_both_places_are_refused() -> None:
    """A proxy sends one of them."""
    request = envoy()
    request.attributes.request.http.headers["authorization"] = "Bearer other"
    with refused("FIELD_INVALID"):
        read(request)


@pytest.mark.parametrize("bad", ["a\r\nb: c", "a\x00", "a\x7f"])
def test_control_characters_are_refused(bad: str) -> None:
    """A header must not become two."""
    with refused("FIELD_INVALID"):
        read(envoy(headers=[("x-note", bad)]))


def test_bytes_are_bytes_in_binary_metadata() -> None:
    """gRPC itself sends it as it is."""
    assert read(proxyless(headers=[("x-bin", "\x00\xff")])).headers.one("x-bin") == "\x00\xff"


@pytest.mark.parametrize("name", ["x note", "x\n", "", "x:y", "ä"])
def test_what_is_no_name_of_a_header_is_refused(name: str) -> None:
    """Nor could it be removed."""
    with refused("FIELD_INVALID"):
        read(envoy(headers=[(name, "1")]))


@pytest.mark.parametrize(
    "headers",
    [
        [("x-note", "a" * (MAX_HEADER_BYTES + 1))],
        [(f"x-{number}", "1") for number in range(MAX_HEADERS)],
    ],
)
@pytest.mark.parametrize("shape", [envoy, envoy_joined])
def test_too_much_is_refused(shape: Any, headers: list[tuple[str, str]]) -> None:
    """The time for a question is bounded."""
    with refused("METADATA_TOO_LARGE"):
        read(shape(headers=headers))


def test_the_certificate_says_who_calls() -> None:
    """Its thumbprint is what a mandate may be bound to; what a proxy calls the peer is not."""
    pem = CertificateAuthority().issue("web", ("web.shop.test", SPIFFE_ID))[0].decode()
    assert read(http(certificate=pem, principal="other")).thumbprint == x5t_s256(pem)
    assert read(http(principal=SPIFFE_ID)).thumbprint is None


@pytest.mark.parametrize("certificate", ["nonsense", "-----BEGIN CERTIFICATE-----", "x" * 40_000])
def test_a_certificate_that_cannot_be_read_says_nothing(certificate: str) -> None:
    """So that what is bound is refused."""
    assert read(http(certificate=certificate, principal=SPIFFE_ID)).thumbprint is None


def test_the_configuration_of_the_proxy_says_the_way() -> None:
    """And nobody else: it is no header."""
    assert read(envoy(direction="outbound", headers=[("caracal", "gateway")])).direction == (
        "outbound"
    )


@pytest.mark.parametrize("value", ["a b", "", "x" * 200, "ä"])
def test_a_request_id_that_is_no_word_is_none(value: str) -> None:
    """It goes into the ledger."""
    headers = [("x-request-id", value.encode().decode("latin-1"))]
    assert read(envoy(headers=headers)).request_id == ""


def test_nothing_of_a_header_or_a_query_shows_in_a_log() -> None:
    """Neither the mandate nor what else a caller sends."""
    carried = [("authorization", "Bearer secret"), ("cookie", "secret")]
    shown = repr(read(http("/orders?token=secret", carried)))
    assert "authorization" in shown
    assert "secret" not in shown


def test_a_body_does_not_count_as_headers() -> None:
    """Nothing is asked of it."""
    request = http()
    request.attributes.request.http.body = "x" * (2 * MAX_HEADER_BYTES)
    assert read(request).verb == "GET"
