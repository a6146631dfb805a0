"""The parameters of a request (RFC 6749 appendix B), read one way only."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.reason import Reason
from caracal_grpc.http.bounds import Bounds
from caracal_grpc.http.oauth_error import Unfit

MAX_PARAMETERS: Final = 32

_SEVERAL: Final = frozenset({"resource", "audience"})
"""What may be there more than once (RFC 8693 section 2.1); for all else RFC 6749 forbids it."""

_TYPE: Final = re.compile(
    r'application/x-www-form-urlencoded(\s*;\s*charset="?utf-8"?)?', re.IGNORECASE
)
_BROKEN: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Form:
    """Parameters. One without a value is one that is not there (RFC 6749 section 3.2)."""

    def __init__(self, values: Mapping[str, tuple[str, ...]]) -> None:
        self._values = values

    def one(self, name: str) -> str:
        """The parameter, empty when it is not there; raises `FIELD_INVALID`."""
        values = self.all(name)
        return values[0] if values else ""

    def all(self, name: str) -> tuple[str, ...]:
        """Each value of a parameter; raises `FIELD_INVALID` for one that none of ours has."""
        values = self._values.get(name, ())
        if not all(value.isascii() and value.isprintable() for value in values):
            raise field_invalid(name, "must be printable ASCII")
        return values


async def read_form(request: Request, bounds: Bounds) -> Form:
    """The form in the body of `request`; raises `FIELD_INVALID` and `Unfit`."""
    if request.scope["query_string"]:
        # URLs are kept by proxies, histories and logs.
        raise field_invalid("request", "parameters belong in the body, never in the URL")
    if not _TYPE.fullmatch(request.headers.get("content-type", "").strip()):
        raise field_invalid("content-type", "must be application/x-www-form-urlencoded")
    try:
        async with asyncio.timeout(bounds.body_seconds):
            body = await _body(request, bounds.body_bytes)
    except TimeoutError:
        raise Unfit(408, field_invalid("request", "came too slowly; send it at once")) from None
    return parse(body)


def parse(body: bytes) -> Form:
    """The form in `body`; raises `FIELD_INVALID`, which never says what was in it."""
    try:
        pairs = _pairs(body.decode("ascii"))
    except ValueError:  # its text holds what it could not read
        text = f"must be a form of at most {MAX_PARAMETERS} parameters in UTF-8"
        raise field_invalid("request", text) from None
    values: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        if name in values and name not in _SEVERAL:
            known = name if name.isidentifier() and name.isascii() else "request"
            raise field_invalid(known[:64], "must be there once")
        values[name] = (*values.get(name, ()), value)
    return Form({name: tuple(filter(None, found)) for name, found in values.items()})


def _pairs(text: str) -> list[tuple[str, str]]:
    if _BROKEN.search(text):
        raise ValueError("an escape is broken")
    if not text:
        return []
    return parse_qsl(
        text,
        keep_blank_values=True,
        strict_parsing=True,
        errors="strict",
        max_num_fields=MAX_PARAMETERS,
    )


async def _body(request: Request, most: int) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > most:
        raise _too_long(most)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise _too_long(most)
    return bytes(body)


def _too_long(most: int) -> Unfit:
    text = f"the form is over {most} bytes; send less"
    refusal = CaracalError(Reason.METADATA_TOO_LARGE, text, metadata={"limit": str(most)})
    return Unfit(413, refusal)
