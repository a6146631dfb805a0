"""gRPC-Web as a browser speaks it: unary, in binary, over HTTP/1.1."""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.interceptors.status import DETAILS_KEY, read_refusal
from tests.support.raw_http import Headers, exchange

CONTENT_TYPE = "application/grpc-web+proto"
_HEAD = struct.Struct(">BI")
_TRAILER = 0x80


@dataclass(frozen=True)
class WebAnswer:
    """What a call ended with; `trailer` is of the body, or of the headers when there is none."""

    http_status: int
    headers: dict[str, str]
    messages: list[bytes]
    trailer: dict[str, str]

    @property
    def status(self) -> int:
        """The status of gRPC."""
        return int(self.trailer["grpc-status"])

    @property
    def refusal(self) -> CaracalError | None:
        """Why it was refused."""
        text = self.trailer.get(DETAILS_KEY, "")
        raw = base64.b64decode(text + "=" * (-len(text) % 4))
        return read_refusal([(DETAILS_KEY, raw)]) if raw else None


async def web_call(address: str, method: str, request: bytes, headers: Headers = ()) -> WebAnswer:
    """One unary call."""
    own = (("Content-Type", CONTENT_TYPE), ("X-Grpc-Web", "1"))
    body = _HEAD.pack(0, len(request)) + request
    answered = await exchange(address, "POST", method, (*own, *headers), body)
    messages, trailer = [], dict(answered.headers)
    rest = answered.body
    while rest:
        kind, size = _HEAD.unpack_from(rest)
        data, rest = rest[_HEAD.size : _HEAD.size + size], rest[_HEAD.size + size :]
        if kind & _TRAILER:
            lines = (line.partition(":") for line in data.decode().split("\r\n") if line)
            trailer = {name.strip().lower(): value.strip() for name, _, value in lines}
        else:
            messages.append(data)
    return WebAnswer(answered.status, dict(answered.headers), messages, trailer)
