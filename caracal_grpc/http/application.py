"""The paths, and what answers each: below the path of a zone's issuer, as the RFCs place them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from caracal_grpc.http.answers import problem
from caracal_grpc.http.boundary import Boundary, nowhere
from caracal_grpc.http.bounds import BOUNDS, Bounds
from caracal_grpc.http.clients import ClientEndpoints, UseCases
from caracal_grpc.http.health import Health
from caracal_grpc.http.issuers import INTROSPECT, JWKS, REVOKE, TOKEN
from caracal_grpc.http.metrics import Metrics
from caracal_grpc.http.published import Published

_METADATA = ("oauth-authorization-server", "openid-configuration")
"""RFC 8414 section 3 and 5: the second for who looks where OpenID Connect has it."""

Endpoint = Callable[[Request], Awaitable[Response]]


def application(
    published: Published,
    cases: UseCases,
    health: Health,
    public_url: str,
    bounds: Bounds = BOUNDS,
    metrics: Metrics | None = None,
) -> ASGIApp:
    """The application of the port; without `metrics` it shows none."""
    prefix = urlsplit(public_url).path.rstrip("/")
    clients = ClientEndpoints(cases, bounds)
    routes = [
        *_published(published, prefix),
        *_of_clients(clients, prefix),
        _read("/healthz", health.lives),
        _read("/readyz", health.serves),
        *([_read("/metrics", metrics.shown)] if metrics else []),
    ]
    return Boundary(Router(routes, redirect_slashes=False, default=_nowhere), bounds)


def _published(published: Published, prefix: str) -> list[BaseRoute]:
    zone = f"{prefix}/zones/{{zone}}"
    return [
        _read(f"{zone}{JWKS}", published.keys),
        _read(f"{prefix}{JWKS}", published.keys_by_query),
        *(_read(f"/.well-known/{name}{zone}", published.metadata) for name in _METADATA),
        *(_read(f"{zone}/.well-known/{name}", published.metadata) for name in _METADATA),
    ]


def _of_clients(clients: ClientEndpoints, prefix: str) -> list[BaseRoute]:
    zone = f"{prefix}/zones/{{zone}}"
    ways = {TOKEN: clients.token, INTROSPECT: clients.introspect, REVOKE: clients.revoke}
    return [Route(zone + path, endpoint, methods=["POST"]) for path, endpoint in ways.items()]


def _read(path: str, endpoint: Endpoint) -> BaseRoute:
    return Route(path, endpoint, methods=["GET"])


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    await problem(nowhere())(scope, receive, send)
