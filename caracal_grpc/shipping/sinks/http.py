"""Batches by HTTP POST: 2xx took it, 429 and 5xx may take it later, anything else never will."""

from __future__ import annotations

import asyncio
import gzip
from functools import partial
from pathlib import Path
from typing import Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.crypto.secret_file import read_secret_file
from caracal_grpc.outbound.http import HttpOutbound
from caracal_grpc.outbound.port import Answer, OutboundError
from caracal_grpc.settings.receivers import HttpSink
from caracal_grpc.shipping.port import Batch, Format, SinkRefusedError, SinkUnavailableError

_LATER: Final = frozenset({408, 425, 429})
"""Refusals of a moment, besides those of the server itself (RFC 9110 section 15.6)."""

_MAX_ANSWER: Final = 65_536
_CONNECTIONS: Final = 1
_GZIP_LEVEL: Final = 6


class HttpDelivery:
    """The sink of one URL. `ca` holds certificates in PEM that are trusted, too.

    After a failure it connects anew, by the certificate of ours that is there by then.
    """

    def __init__(self, settings: HttpSink, form: Format, ca: bytes | None) -> None:
        self._settings = settings
        self._form = form
        self._connect = partial(
            HttpOutbound,
            settings.networks(),
            ca=ca,
            pair=settings.pair,
            timeout=settings.timeout_seconds,
            keep_alive=True,
            connections=_CONNECTIONS,
        )
        self._outbound = self._connect()

    async def open(self) -> None:
        """Connections are made when something is sent."""

    async def send(self, batch: Batch) -> None:
        """Returns on a 2xx answer."""
        body = await asyncio.to_thread(self._body, batch)
        headers = await asyncio.to_thread(self._headers)
        try:
            answer = await self._outbound.deliver(self._settings.url, body, headers, _MAX_ANSWER)
        except OutboundError as error:
            await self._outbound.close()
            self._outbound = self._connect()
            raise SinkUnavailableError(str(error)) from error
        self._judge(answer)

    async def close(self) -> None:
        """Lets go of the connection."""
        await self._outbound.close()

    def _body(self, batch: Batch) -> bytes:
        body = self._form.body(batch)
        return gzip.compress(body, _GZIP_LEVEL, mtime=0) if self._settings.gzip else body

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": self._form.content_type}
        if self._settings.gzip:
            headers["Content-Encoding"] = "gzip"
        if self._settings.token_file is not None:
            token = _credential(self._settings.token_file)
            headers[self._settings.header] = f"{self._settings.scheme} {token}".lstrip()
        return headers

    def _judge(self, answer: Answer) -> None:
        status = answer.status
        if status // 100 == 2:
            if why := self._form.refused(answer.body):
                raise SinkRefusedError(f"it answered {status}, but did not take all: {why}")
            return
        if status in _LATER or status // 100 == 5:
            raise SinkUnavailableError(f"it answered {status}", answer.retry_after)
        raise SinkRefusedError(f"it answered {status}{_ADVICE.get(status, '')}")


_ADVICE: Final = {
    401: "; check token_file",
    403: "; check token_file, and what it may do there",
    404: "; check url",
    413: "; make batch.max_bytes smaller",
}


def _credential(file: Path) -> str:
    """One line that can be sent in a header.

    Raises `SinkUnavailableError`, for it may be there soon.
    """
    try:
        token = read_secret_file(file)
    except CaracalError as error:
        raise SinkUnavailableError(f"token_file: {error.message}") from error
    if not (token.isascii() and token.isprintable()):
        raise SinkUnavailableError(f"token_file: {file} must hold one line of printable ASCII")
    return token
