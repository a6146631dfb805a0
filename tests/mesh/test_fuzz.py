"""Whatever a proxy sends: an answer, never permission without a verdict, in bounded size."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.mesh.asking import METHOD, envoy
from tests.mesh.desk import ASKED, PUBLIC, RESOURCE, SCOPE, Desk, allowed, desk, route

MOST = 32_768
"""Bytes that an answer may have."""

OPEN = "/open"
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
PATHS = st.one_of(
    st.sampled_from([METHOD, "/orders/42", OPEN, "/", "*", "", "/orders/%2e%2e/open", "//open"]),
    st.from_regex(r"(/[a-z.%0-9;\\?#-]{0,8}){0,5}", fullmatch=True),
    TEXT,
)
VALUES = st.one_of(
    TEXT,
    st.sampled_from(
        [
            "application/grpc",
            "application/grpc-web+proto",
            "Bearer ",
            "Bearer a.b.c",
            "Bearer a,Bearer b",
            "99999999H",
            "0n",
            "caracal.subject=root",
        ]
    ),
)
NAMES = (
    st.sampled_from(
        [
            "authorization",
            "content-type",
            "grpc-timeout",
            "x-caracal-subject",
            "x-grpc-web",
            "x-request-id",
            "baggage",
            "host",
            ":path",
            ":method",
            ":authority",
            "x-bin",
        ]
    )
    | TEXT
)
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=12)


@pytest.fixture(scope="module")
def kit() -> Desk:
    """A desk with a method and routes, one of them open to everybody."""
    family = {"resource": f"{RESOURCE}/{{id}}", "scopes": [SCOPE]}
    return desk(
        {METHOD: ASKED}, [route("/orders/{id}", family), route(OPEN, PUBLIC, methods=["*"])]
    )


@st.composite
def questions(draw: st.DrawFn) -> CheckRequest:
    """A question of any shape, its parts sensible or not."""
    request = CheckRequest()
    attributes = request.attributes
    http = attributes.request.http
    http.path, http.host = draw(PATHS), draw(st.sampled_from(["shop.test", "", "A.b:1"]) | TEXT)
    http.method = draw(st.sampled_from(["GET", "POST", ""]) | TEXT)
    http.protocol = draw(st.sampled_from(["HTTP/2", "HTTP/1.1", ""]) | TEXT)
    http.id, http.size = draw(TEXT), draw(st.sampled_from([-1, 0, 1 << 62]))
    http.query, http.fragment, http.scheme = (draw(st.just("") | TEXT) for _ in range(3))
    for name, value in draw(HEADERS):
        http.header_map.headers.add(key=name, raw_value=value.encode())
    for name, value in draw(st.just([]) | HEADERS):
        http.headers[name] = value
    attributes.source.principal, attributes.source.certificate = draw(TEXT), draw(TEXT)
    for name, value in draw(st.dictionaries(st.just("caracal") | TEXT, TEXT, max_size=2)).items():
        attributes.context_extensions[name] = value
    return request


def answer(kit: Desk, request: CheckRequest) -> Any:
    """The answer, on a loop of its own."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(kit.ask(request))


def is_open(request: CheckRequest) -> bool:
    """Whether the request is for what needs no mandate."""
    http = request.attributes.request.http
    said = [each.raw_value.decode() for each in http.header_map.headers if each.key == ":path"]
    path = http.path or next(iter(said), "") or http.headers[":path"]
    return path.partition("?")[0] == OPEN or path.startswith("/grpc.")


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(request=questions())
def test_whatever_is_asked_is_answered(
    kit: Desk, request: CheckRequest, caplog: pytest.LogCaptureFixture
) -> None:
    """No mandate here is good, so that only what is open to everybody goes on.

    Nothing is unforeseen: that would be logged.
    """
    caplog.clear()
    with caplog.at_level(logging.WARNING, "caracal"):
        response = answer(kit, request)
    assert [record.getMessage() for record in caplog.records] == []
    assert not allowed(response) or is_open(request)
    assert response.ByteSize() < MOST


@settings(max_examples=100, deadline=None)
@given(raw=st.binary(max_size=200))
def test_whatever_bytes_are_a_question_are_answered(kit: Desk, raw: bytes) -> None:
    """As a proxy that is newer than this might send them."""
    request = CheckRequest()
    try:
        request.ParseFromString(raw)
    except Exception:  # noqa: BLE001 - then gRPC answers
        return
    assert not allowed(answer(kit, request)) or is_open(request)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(mess=HEADERS)
def test_a_good_mandate_among_a_mess_goes_on_as_itself_or_not_at_all(
    kit: Desk, mess: list[tuple[str, str]]
) -> None:
    """Nothing that a caller adds changes whose request it is."""
    grant = kit.authority.grant(resource=RESOURCE, scopes=SCOPE)
    text = [(name, value.encode("utf-8").decode("latin-1")) for name, value in mess]
    request = envoy(headers=[*text, ("authorization", f"Bearer {kit.authority.sign(grant)}")])
    response = answer(kit, request)
    if not allowed(response):
        return
    said = {each.header.key: each.header.value for each in response.ok_response.headers}
    removed = set(response.ok_response.headers_to_remove)
    assert said["x-caracal-subject"] == grant.subject
    ours = {name.lower() for name, _ in mess if "caracal" in name.lower()}
    assert ours <= removed | said.keys()
    assert not removed & said.keys()
