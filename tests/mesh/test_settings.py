"""`mesh.yaml`: what is wrong or unsafe is refused, by its path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.settings.mesh import MeshSettings

PLACING = {"resource": "resource://orders", "scopes": ["orders:place"]}
INBOUND: dict[str, Any] = {"methods": {"/shop.v1.Orders/Place": PLACING}}
GATEWAY: dict[str, Any] = {
    "routes": [{"path": "/v1/**", "hosts": ["crm.gateway"], "upstream": "crm", **PLACING}]
}
OUTBOUND: dict[str, Any] = {
    "serves": ["resource://orders"],
    "upstreams": {"payments": {"hosts": ["payments"], "resources": ["resource://payments"]}},
}
TLS: dict[str, Any] = {
    "cert_file": "cert.pem",
    "key_file": "key.pem",
    "client_ca_file": "ca.pem",
    "clients": ["spiffe://shop.example/ns/shop/sa/gateway"],
}
FIT: dict[str, Any] = {
    "profile": "orders.json",
    "listen": "unix:/run/caracal/mesh.sock",
    "inbound": INBOUND,
}


def load(**changes: Any) -> MeshSettings:
    """What is fit, with changes; `None` takes a key away."""
    values = {name: value for name, value in (FIT | changes).items() if value is not None}
    return MeshSettings.load(values, Path("/etc/caracal"))


def wrong(**changes: Any) -> dict[str, str]:
    """What is wrong with it, by path."""
    with pytest.raises(CaracalError) as caught:
        load(**changes)
    assert caught.value.reason is Reason.FIELD_INVALID
    return {each.field: each.description for each in caught.value.violations}


def test_files_are_relative_to_the_document() -> None:
    """As in a profile."""
    settings = load(tls=TLS, listen="0.0.0.0:7430")
    assert settings.profile == Path("/etc/caracal/orders.json")
    assert settings.tls is not None
    assert settings.tls.key_file == Path("/etc/caracal/key.pem")
    assert load(profile="/srv/orders.json").profile == Path("/srv/orders.json")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"listen": "unix:///run/caracal/mesh.sock"},
        {"listen": "127.0.0.1:0"},
        {"listen": "localhost:7430"},
        {"listen": "[::1]:7430"},
        {"listen": "0.0.0.0:7430", "tls": TLS},
        {"listen": "127.0.0.1:7430", "tls": TLS, "gateway": GATEWAY},
        {"listen": "127.0.0.1:7430", "gateway": GATEWAY, "alone_on_host": True},
        {"inbound": None, "outbound": OUTBOUND},
        {"inbound": None, "gateway": GATEWAY},
        {"tls": None, "max_staleness": 2, "drain_seconds": 0.5},
        {"inbound": INBOUND | {"cache_seconds": 60}, "max_staleness": 60},
    ],
)
def test_what_is_safe_is_taken(changes: dict[str, Any]) -> None:
    """A socket, loopback, or anywhere by mutual TLS."""
    load(**changes)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"profile": None}, "profile"),
        ({"listen": None}, "listen"),
        ({"listen": "0.0.0.0:7430"}, "listen"),
        ({"listen": "mesh.shop.example:7430"}, "listen"),
        ({"listen": "[::]:7430"}, "listen"),
        ({"listen": ":7430"}, "listen"),
        ({"listen": "7430"}, "listen"),
        ({"listen": "127.0.0.1"}, "listen"),
        ({"listen": "unix:run/mesh.sock"}, "listen"),
        ({"listen": "unix-abstract:mesh"}, "listen"),
        ({"listen": f"unix:/{'a' * 107}"}, "listen"),
        ({"listen": "unix:/"}, "listen"),
        ({"listen": "unix:/run/caracal/\0"}, "listen"),
        ({"listen": "127.0.0.1:65536"}, "listen"),
        ({"tls": TLS}, "listen"),
        ({"listen": "127.0.0.1:7430", "gateway": GATEWAY}, "listen"),
        ({"listen": "127.0.0.1:7430", "outbound": OUTBOUND}, "listen"),
        ({"listen": "127.0.0.1:7430", "tls": TLS | {"clients": []}}, "tls.clients"),
        ({"listen": "127.0.0.1:7430", "tls": TLS | {"clients": ["*"]}}, "tls.clients[0]"),
        (
            {"listen": "127.0.0.1:7430", "tls": TLS | {"clients": [*TLS["clients"], "AB:CD"]}},
            "tls.clients[1]",
        ),
        ({"listen": "127.0.0.1:7430", "tls": {"cert_file": "cert.pem"}}, "tls.key_file"),
        ({"max_staleness": 1}, "max_staleness"),
        ({"max_staleness": 600}, "max_staleness"),
        ({"max_staleness": "10"}, "max_staleness"),
        ({"drain_seconds": -1}, "drain_seconds"),
        ({"telemetry": "yes"}, "telemetry"),
        ({"record": {"sampling_rate": 2}}, "record.sampling_rate"),
        ({"inbound": None}, "inbound"),
        ({"inbound": INBOUND | {"fail_open": True}}, "inbound.fail_open"),
        ({"inbound": INBOUND | {"cache_seconds": 11}}, "inbound.cache_seconds"),
        (
            {"inbound": INBOUND | {"cache_seconds": 3}, "max_staleness": 2},
            "inbound.cache_seconds",
        ),
        (
            {"inbound": INBOUND | {"cache_seconds": 61}, "max_staleness": 60},
            "inbound.cache_seconds",
        ),
        ({"inbound": {"routes": [{"methods": ["GET"]}]}}, "inbound.routes[0].path"),
        ({"inbound": {"methods": {"/a.B/C": "public"}}}, "inbound.methods./a.B/C"),
        ({"outbound": OUTBOUND | {"serves": []}}, "outbound.serves"),
        ({"outbound": OUTBOUND | {"upstreams": {}}}, "outbound.upstreams"),
        ({"outbound": OUTBOUND | {"correlate": "cookie"}}, "outbound.correlate"),
        ({"gateway": {"routes": []}}, "gateway.routes"),
        ({"failure_mode_allow": True}, "failure_mode_allow"),
    ],
)
def test_what_is_not_is_refused_by_its_path(changes: dict[str, Any], path: str) -> None:
    """And nothing starts."""
    assert path in wrong(**changes)


@pytest.mark.parametrize(
    ("changes", "path", "what_to_do"),
    [
        ({"listen": "0.0.0.0:7430"}, "listen", "add tls with the clients that may ask"),
        ({"listen": "127.0.0.1:7430", "gateway": GATEWAY}, "listen", "use a unix socket, or say"),
        ({"listen": "127.0.0.1:7430", "outbound": OUTBOUND}, "listen", "use a unix socket, or say"),
        ({"tls": TLS}, "listen", "leave one of them out"),
        (
            {"listen": "[::]:1", "tls": TLS | {"clients": []}},
            "tls.clients",
            "must have one at least",
        ),
        ({"inbound": None}, "inbound", "say what comes to the service, or configure outbound"),
    ],
)
def test_what_is_unsafe_is_refused_with_what_to_do(
    changes: dict[str, Any], path: str, what_to_do: str
) -> None:
    """Not only with what is wrong."""
    assert what_to_do in wrong(**changes)[path]


def test_all_that_is_wrong_is_told_at_once() -> None:
    """Nobody has to try again for each."""
    found = wrong(profile=None, telemetry="yes", inbound={"methods": []})
    assert found.keys() == {"profile", "telemetry", "inbound.methods"}


@pytest.mark.parametrize("document", [None, [], "profile", 7])
def test_what_is_no_document_is_refused(document: object) -> None:
    """It is a mapping."""
    with pytest.raises(CaracalError):
        MeshSettings.load(document, Path())
