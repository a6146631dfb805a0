"""Questions as proxies ask them: Envoy in both of its ways, and gRPC itself (gRFC A92)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from envoy.service.auth.v3.external_auth_pb2 import CheckRequest

Entries = Iterable[tuple[str, str]]
Shape = Callable[..., CheckRequest]

METHOD = "/caracal.test.Cell/Call"


def envoy(
    path: str = METHOD,
    headers: Entries = (),
    *,
    verb: str = "POST",
    host: str = "Shop.Test:8080",
    content_type: str = "application/grpc",
    direction: str = "",
    certificate: str = "",
    principal: str = "",
    exchange: str = "16525457412158528102",
    raw: bool = True,
    protocol: str = "HTTP/2",
) -> CheckRequest:
    """What Envoy asks; `raw` is its `encode_raw_headers`."""
    request = CheckRequest()
    http = request.attributes.request.http
    http.id, http.method, http.path, http.host = exchange, verb, path, host
    http.scheme, http.protocol = "http", protocol
    said = [
        (":path", path),
        (":authority", host),
        (":method", verb),
        (":scheme", "http"),
        *([("content-type", content_type)] if content_type else []),
        *headers,
    ]
    _write(http, said, raw=raw)
    if direction:
        request.attributes.context_extensions["caracal"] = direction
    source = request.attributes.source
    source.address.socket_address.address = "127.0.0.1"
    source.principal, source.certificate = principal, quote(certificate, safe="")
    return request


def envoy_joined(path: str = METHOD, headers: Entries = (), **more: Any) -> CheckRequest:
    """What Envoy asks without `encode_raw_headers`: duplicates are joined by a comma."""
    return envoy(path, headers, raw=False, **more)


def grpc_web(path: str = METHOD, headers: Entries = (), **more: Any) -> CheckRequest:
    """What Envoy asks about gRPC-Web that it has not translated yet."""
    more = {"content_type": "application/grpc-web+proto", "protocol": "HTTP/1.1"} | more
    return envoy(path, headers, **more)


def http(path: str = "/orders/42", headers: Entries = (), **more: Any) -> CheckRequest:
    """What Envoy asks about a request that is no gRPC."""
    more = {"verb": "GET", "content_type": "", "protocol": "HTTP/1.1"} | more
    return envoy(path, headers, **more)


def proxyless(
    path: str = METHOD, headers: Entries = (), *, certificate: str = "", principal: str = ""
) -> CheckRequest:
    """What gRPC asks itself: no host, no id, no context, headers as bytes, size -1."""
    request = CheckRequest()
    call = request.attributes.request.http
    call.method, call.path, call.size, call.protocol = "POST", path, -1, "HTTP/2"
    _write(call, headers, raw=True)
    source = request.attributes.source
    source.principal, source.certificate = principal, quote(certificate, safe="")
    return request


GRPC_SHAPES: dict[str, Shape] = {
    "envoy": envoy,
    "envoy_joined": envoy_joined,
    "grpc_web": grpc_web,
    "proxyless": proxyless,
}


def _write(http: Any, headers: Entries, *, raw: bool) -> None:
    for name, value in headers:
        if raw:
            http.header_map.headers.add(key=name, raw_value=value.encode("latin-1"))
        elif name in http.headers:
            http.headers[name] += f",{value}"
        else:
            http.headers[name] = value
