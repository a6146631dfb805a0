"""What anybody may read: the keys of a zone and its metadata, with how long a copy is good."""

from __future__ import annotations

import hashlib
import math
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.keystate import copy_life
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.zone import Zone
from caracal_grpc.crypto import base64url
from caracal_grpc.http.answers import answer, encoded
from caracal_grpc.http.issuers import found_zone, metadata, one_query, zone_of

_METADATA_LIFE: Final = 300
"""Seconds; an issuer and its URLs do not change while the zone is there."""


class Published:
    """Answers to GET. What is not proven current is refused (`AUTHORITY_STALE`): a key set from
    before a rotation would be a copy that lacks the key which signs next.
    """

    def __init__(self, state: State, keyring: Keyring, clock: Clock, *, certificates: bool) -> None:
        self._state = state
        self._keyring = keyring
        self._clock = clock
        self._certificates = certificates

    async def keys(self, request: Request) -> Response:
        """The JWK set (RFC 7517) of the zone in the path."""
        self._state.require_fresh()
        return self._keys(zone_of(self._state, request), request)

    async def keys_by_query(self, request: Request) -> Response:
        """The same of the zone in `zone_id`."""
        self._state.require_fresh()
        return self._keys(found_zone(self._state, one_query(request, "zone_id")), request)

    async def metadata(self, request: Request) -> Response:
        """The metadata (RFC 8414) of the zone in the path."""
        self._state.require_fresh()
        zone = zone_of(self._state, request)
        headers = {"cache-control": f"public, max-age={_METADATA_LIFE}"}
        return answer(metadata(zone, certificates=self._certificates), headers=headers)

    def _keys(self, zone: Zone, request: Request) -> Response:
        keys = self._keyring.key_set(zone.name).to_jwks()
        headers = {"cache-control": self._copies(zone), "etag": _tag(encoded(keys))}
        if _has(request, headers["etag"]):
            return Response(status_code=304, headers=headers)
        return answer(keys, headers=headers, content_type="application/jwk-set+json")

    def _copies(self, zone: Zone) -> str:
        times = [key.times for key in self._keyring.keys(zone.name)]
        age = math.ceil(self._state.age())
        life = copy_life(zone, times, age, self._clock.now())
        return f"public, max-age={life}, must-revalidate" if life else "no-cache"


def _tag(body: bytes) -> str:
    return f'"{base64url.encode(hashlib.sha256(body).digest()[:16])}"'


def _has(request: Request, tag: str) -> bool:
    """Whether the caller has that very set (RFC 9110 section 13.1.2)."""
    named = ",".join(request.headers.getlist("if-none-match")).split(",")
    return any(each.strip().removeprefix("W/") in {tag, "*"} for each in named)
