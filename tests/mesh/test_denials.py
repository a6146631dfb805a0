"""How a refusal reads to each kind of caller."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import unquote

import grpc
import pytest

from caracal_grpc.core.errors import CaracalError, FieldViolation
from caracal_grpc.core.reason import CODE_OF, HTTP_STATUS_OF, Reason
from caracal_grpc.interceptors.status import read_refusal
from caracal_grpc.mesh.answers.answer import Refused
from caracal_grpc.mesh.answers.render import render
from caracal_grpc.mesh.question import read
from tests.mesh.asking import GRPC_SHAPES, grpc_web, http, proxyless
from tests.mesh.desk import headers, told

DECISION = "aud_01h455vb4pex5vsknk084sn02q"
INSUFFICIENT = 'Bearer realm="caracal", error="insufficient_scope"'


def refuse(reason: Reason, **more: Any) -> Refused:
    """A refusal with all that one can have."""
    error = CaracalError(reason, "not so: 100% über\nall", metadata={"missing": "a:b"}, **more)
    return Refused(error, DECISION)


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("shape", GRPC_SHAPES)
def test_callers_of_grpc_get_the_status_of_a_guard(shape: str, reason: Reason) -> None:
    """Code, text, ErrorInfo and the wait; over a proxy as headers, which it makes a trailer."""
    response = render(read(GRPC_SHAPES[shape]()), refuse(reason, retry_after=1.5))
    said, denied = headers(response), response.denied_response
    code = grpc.StatusCode[CODE_OF[reason]].value[0]
    assert (response.status.code, said["grpc-status"]) == (code, str(code))
    assert unquote(said["grpc-message"]) == response.status.message == "not so: 100% über\nall"
    assert said["grpc-message"].isascii()
    assert said["grpc-retry-pushback-ms"] == "1500"
    assert said["x-caracal-decision-id"] == DECISION
    assert denied.body == ""
    text = said["grpc-status-details-bin"]
    details = base64.b64decode(text + "=" * (-len(text) % 4))
    (raw,) = [each.header.raw_value for each in denied.headers if each.header.raw_value]
    assert raw == details
    error = read_refusal([("grpc-status-details-bin", details)])
    assert error is not None
    assert (error.reason, error.metadata, error.retry_after) == (reason, {"missing": "a:b"}, 1.5)


@pytest.mark.parametrize("shape", ["envoy", "envoy_joined", "grpc_web"])
def test_a_proxy_carries_the_status_of_grpc_over_an_ok_of_http(shape: str) -> None:
    """A client of gRPC-Web takes another status for a failure on the way."""
    response = render(read(GRPC_SHAPES[shape]()), refuse(Reason.MANDATE_EXPIRED))
    assert response.denied_response.status.code == 200


def test_grpc_itself_goes_by_the_status_of_http() -> None:
    """What it makes of a header `grpc-status` nobody says (gRFC A92)."""
    response = render(read(proxyless()), refuse(Reason.MANDATE_EXPIRED))
    assert response.denied_response.status.code == 401


@pytest.mark.parametrize(
    ("content_type", "said"),
    [
        ("application/grpc", None),
        ("application/grpc-web", "application/grpc-web"),
        ("application/grpc-web+proto; a=b", "application/grpc-web+proto"),
        ("application/grpc-web-text+proto", "application/grpc-web-text+proto"),
        ("application/grpc-web-text+proto\xff", "application/grpc-web-text+proto"),
    ],
)
def test_grpc_web_is_answered_in_its_own_type(content_type: str, said: str | None) -> None:
    """A proxy that does not translate it writes none."""
    response = render(read(grpc_web(content_type=content_type)), refuse(Reason.POLICY_DENIED))
    assert headers(response).get("content-type") == said


@pytest.mark.parametrize("reason", Reason)
def test_callers_of_http_get_a_problem(reason: Reason) -> None:
    """With the status of its reason, and nothing of gRPC (RFC 9457)."""
    violations = [FieldViolation("path", "must be one")]
    response = render(read(http()), refuse(reason, violations=violations, retry_after=0.2))
    denied, said = response.denied_response, headers(response)
    assert denied.status.code == HTTP_STATUS_OF[reason] >= 400
    assert not any(name.startswith("grpc") for name in said)
    assert said["content-type"] == "application/problem+json"
    assert said["cache-control"] == "no-store"
    assert said["retry-after"] == "1"
    assert said["x-caracal-decision-id"] == DECISION
    problem = json.loads(denied.body)
    assert problem.pop("title")
    assert problem == {
        "type": f"urn:caracal:reason:{reason.value}",
        "status": HTTP_STATUS_OF[reason],
        "detail": "not so: 100% über\nall",
        "reason": reason.value,
        "metadata": {"missing": "a:b"},
        "violations": [{"field": "path", "description": "must be one"}],
        "decision_id": DECISION,
    }
    assert response.status.code == grpc.StatusCode[CODE_OF[reason]].value[0] != 0
    assert told(response)["reason"] == reason.value


def test_every_reason_has_a_status_of_http() -> None:
    """One table beside the other; 401 is for what another mandate would help with."""
    assert HTTP_STATUS_OF.keys() == CODE_OF.keys() == set(Reason)
    for reason, code in CODE_OF.items():
        assert (HTTP_STATUS_OF[reason] == 401) == (code == "UNAUTHENTICATED")
        assert (HTTP_STATUS_OF[reason] == 503) == (code == "UNAVAILABLE")


@pytest.mark.parametrize(
    ("error", "challenge"),
    [
        (CaracalError(Reason.MANDATE_MISSING, "none"), 'Bearer realm="caracal"'),
        (
            CaracalError(Reason.MANDATE_EXPIRED, 'so "late"\\\n'),
            'Bearer realm="caracal", error="invalid_token", error_description="so late"',
        ),
        (
            CaracalError(Reason.SCOPE_INSUFFICIENT, "no", metadata={"required": "a:b c:d"}),
            f'{INSUFFICIENT}, error_description="no", scope="a:b c:d"',
        ),
        (
            CaracalError(Reason.SCOPE_INSUFFICIENT, "no", metadata={"any_of": "a:b"}),
            f'{INSUFFICIENT}, error_description="no", scope="a:b"',
        ),
        (CaracalError(Reason.POLICY_DENIED, "no"), None),
        (CaracalError(Reason.FIELD_INVALID, "no"), None),
    ],
)
def test_a_challenge_says_what_mandate_would_do(error: CaracalError, challenge: str | None) -> None:
    """RFC 6750 section 3."""
    response = render(read(http()), Refused(error))
    assert headers(response).get("www-authenticate") == challenge


def test_a_question_that_could_not_be_read_is_refused_as_http() -> None:
    """Nobody knows what its caller speaks."""
    response = render(None, refuse(Reason.FIELD_INVALID))
    assert response.denied_response.status.code == 400
    assert json.loads(response.denied_response.body)["reason"] == "FIELD_INVALID"


def test_a_refusal_is_bounded_whatever_it_says() -> None:
    """A proxy takes so much and no more."""
    long = CaracalError(
        Reason.FIELD_INVALID,
        "x" * 100_000,
        metadata={f"key{number}": "ü" * 10_000 for number in range(100)},
        violations=[FieldViolation("f" * 10_000, "d" * 10_000)] * 100,
    )
    for shape in (http, *GRPC_SHAPES.values()):
        assert render(read(shape()), Refused(long, DECISION)).ByteSize() < 16_384
