"""Where the URLs of zones are, and what a zone says of itself (RFC 8414)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request

from caracal_grpc.authority.state.state import State
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.ids import require_slug
from caracal_grpc.core.issuer import ALGORITHMS
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.zone import Zone

TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - RFC 8693
CLIENT_CREDENTIALS: Final = "client_credentials"

JWKS: Final = "/.well-known/jwks.json"
TOKEN: Final = "/token"  # noqa: S105 - a path
INTROSPECT: Final = "/introspect"
REVOKE: Final = "/revoke"

_METHODS: Final = ("client_secret_basic", "client_secret_post", "private_key_jwt")
_WITH_CERTIFICATE: Final = "tls_client_auth"


def zone_of(state: State, request: Request) -> Zone:
    """The zone that the path names; raises `OBJECT_NOT_FOUND`."""
    return found_zone(state, request.path_params["zone"])


def found_zone(state: State, name: str) -> Zone:
    """The zone; raises `OBJECT_NOT_FOUND`, also for what no zone is called."""
    try:
        zone = state.find_zone(require_slug("zone", name))
    except CaracalError:
        zone = None
    if zone is None:
        raise CaracalError(Reason.OBJECT_NOT_FOUND, "there is no such zone; check the issuer")
    return zone


def one_query(request: Request, name: str) -> str:
    """The parameter of the URL, which must be there once; raises `FIELD_INVALID`."""
    values = request.query_params.getlist(name)
    if len(values) != 1 or not values[0]:
        raise field_invalid(name, "must be there once")
    return values[0]


def token_url(zone: Zone | None) -> str:
    """The URL of the token endpoint: of the issuer, never of what a request calls its host."""
    return f"{zone.issuer}{TOKEN}" if zone else ""


def metadata(zone: Zone, *, certificates: bool) -> Mapping[str, Any]:
    """The metadata of the zone; `certificates` is whether this port verifies those of clients.

    Section 2 requires `response_types_supported` and section 3.2 forbids it to be empty: `none` is
    the registered type of an endpoint that returns nothing, and there is no such endpoint either.
    """
    methods = [*_METHODS, *([_WITH_CERTIFICATE] if certificates else [])]
    told: dict[str, Any] = {
        "issuer": zone.issuer,
        "jwks_uri": f"{zone.issuer}{JWKS}",
        "response_types_supported": ["none"],
        "grant_types_supported": [TOKEN_EXCHANGE, CLIENT_CREDENTIALS],
        "tls_client_certificate_bound_access_tokens": certificates,
    }
    for name, path in (("token", TOKEN), ("introspection", INTROSPECT), ("revocation", REVOKE)):
        told |= {
            f"{name}_endpoint": f"{zone.issuer}{path}",
            f"{name}_endpoint_auth_methods_supported": methods,
            f"{name}_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        }
    return told
