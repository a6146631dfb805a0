"""The manifests for Istio say what the defaults of Istio get wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from caracal_grpc.core import limits
from tests.examples.processes import EXAMPLES

ISTIO = EXAMPLES / "mesh" / "istio"


def _read(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((ISTIO / name).read_text()))


def _one(name: str, kind: str) -> dict[str, Any]:
    (found,) = (each for each in _read(name) if each["kind"] == kind)
    return dict(found)


@pytest.fixture
def values() -> dict[str, Any]:
    """What istiod is told."""
    (found,) = _read("mesh-config.yaml")
    return found


@pytest.fixture
def provider(values: dict[str, Any]) -> dict[str, Any]:
    """Who is asked, and how."""
    (found,) = values["meshConfig"]["extensionProviders"]
    return dict(found)


def _seconds(text: str) -> int:
    return int(text[:-1]) * {"s": 1, "m": 60}[text[-1]]


def test_nobody_waits_ten_minutes_and_nothing_fails_open(provider: dict[str, Any]) -> None:
    """The default is 600 s; a failure is told as one, in text as the API of Istio has it."""
    asked = provider["envoyExtAuthzGrpc"]
    assert _seconds(asked["timeout"]) == 1
    assert (asked["failOpen"], asked["statusOnError"]) == (False, "503")
    assert "includeRequestBodyInCheck" not in asked, "a proxy that sends bodies along is refused"


def test_a_new_key_is_known_before_it_signs(values: dict[str, Any]) -> None:
    """The default of istiod is 20 minutes; the zone waits for longer than istiod takes."""
    interval = values["pilot"]["env"]["PILOT_JWT_PUB_KEY_REFRESH_INTERVAL"]
    text = (ISTIO / "mesh-config.yaml").read_text()
    age = int(text.partition("jwks_max_age_seconds: ")[2].partition("}")[0])
    assert _seconds(interval) < age <= limits.MAX_JWKS_AGE


def test_every_request_is_asked_about(provider: dict[str, Any]) -> None:
    """Of the workload that is meant, by a rule that everything matches."""
    policy = _one("authorization.yaml", "AuthorizationPolicy")["spec"]
    assert policy["action"] == "CUSTOM"
    assert policy["provider"]["name"] == provider["name"]
    assert policy["rules"] == [{}]
    assert policy["selector"]["matchLabels"] == {"app": "orders"}


def test_the_question_goes_to_the_pod_itself(provider: dict[str, Any]) -> None:
    """Over gRPC, at loopback, where the provider says."""
    asked, found = provider["envoyExtAuthzGrpc"], _one("authorization.yaml", "ServiceEntry")
    entry = found["spec"]
    # Without its namespace Istio takes the host only as long as no other namespace has one.
    assert asked["service"] == f"{found['metadata']['namespace']}/{entry['hosts'][0]}"
    assert len(entry["hosts"]) == 1
    assert entry["endpoints"] == [{"address": "127.0.0.1"}]
    (port,) = entry["ports"]
    assert (port["number"], port["protocol"]) == (asked["port"], "GRPC")
    assert (entry["resolution"], entry["exportTo"]) == ("STATIC", ["."])


def test_plaintext_callers_are_refused() -> None:
    """The default, PERMISSIVE, takes them."""
    peers = _one("authorization.yaml", "PeerAuthentication")["spec"]
    assert peers["mtls"] == {"mode": "STRICT"}


def test_the_mandate_is_left_for_whoever_judges_it() -> None:
    """And is for one service of one zone."""
    (rule,) = _one("authentication.yaml", "RequestAuthentication")["spec"]["jwtRules"]
    assert rule["forwardOriginalToken"] is True
    assert rule["audiences"] == ["resource://orders"]
    assert rule["jwksUri"] == f"{rule['issuer']}/.well-known/jwks.json"


def _selected() -> Iterator[dict[str, Any]]:
    for name in ("authentication.yaml", "authorization.yaml"):
        yield from (each for each in _read(name) if each["kind"] != "ServiceEntry")


def test_they_are_for_one_workload() -> None:
    """None is for the whole namespace, nor for another one."""
    found = list(_selected())
    assert len(found) == 3
    for each in found:
        assert each["metadata"]["namespace"] == "shop"
        assert each["spec"]["selector"] == {"matchLabels": {"app": "orders"}}


@pytest.mark.parametrize(
    ("file", "default", "instead"),
    [
        ("envoy/sidecar.yaml", "200 ms", "timeout: 1s"),
        ("envoy/outbound.yaml", "200 ms", "timeout: 5s"),
        ("envoy/gateway.yaml", "200 ms", "timeout: 5s"),
        ("envoy/jwt_authn.yaml", "600 s", "cache_duration: 50s"),
        ("istio/mesh-config.yaml", "200 ms", "timeout: 1s"),
        ("istio/mesh-config.yaml", "600 s", "timeout: 1s"),
        ("istio/mesh-config.yaml", "20 minutes", "PILOT_JWT_PUB_KEY_REFRESH_INTERVAL: 1m"),
    ],
)
def test_each_default_that_is_wrong_is_named(file: str, default: str, instead: str) -> None:
    """Where it would hold, beside what to set instead."""
    text = (ISTIO.parent / file).read_text()
    assert default in " ".join(line.strip(" #") for line in text.splitlines())
    assert instead in text
