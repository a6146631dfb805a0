"""What every request passes first: what no honest client sends ends here, and so does a fault."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from caracal_grpc.core.errors import CaracalError, draining, field_invalid
from caracal_grpc.core.reason import Reason
from caracal_grpc.http.answers import fault, problem
from caracal_grpc.http.bounds import Bounds

_log = logging.getLogger("caracal.http")

_ONCE: Final = ("authorization", "content-length", "content-type", "host", "transfer-encoding")
"""Fields of which two would be read differently by different readers."""

_VERSIONS: Final = frozenset({"1.0", "1.1"})
_BODILESS: Final = frozenset({"GET", "HEAD"})
_CLOSE: Final = (b"connection", b"close")
_NOSNIFF: Final = (b"x-content-type-options", b"nosniff")


class Boundary:
    """An application behind its bounds. Nothing of a request ever goes into a log."""

    def __init__(self, app: ASGIApp, bounds: Bounds) -> None:
        self._app = app
        self._bounds = bounds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, whatever it is."""
        talk = _Talk(scope, receive, send)
        refusal = _refusal(scope, self._bounds)
        talk.last = talk.last or refusal is not None
        answer = refusal or await self._answered(scope, talk)
        if answer is not None and not talk.answered:
            await answer(scope, talk.receive, talk.send)

    async def _answered(self, scope: Scope, talk: _Talk) -> Response | None:
        """Has it answered; what is left to say when that fails."""
        try:
            async with asyncio.timeout(self._bounds.answer_seconds):
                await self._app(scope, talk.receive, talk.send)
        except ClientDisconnect:
            return None
        except asyncio.CancelledError:  # the server ends, and this task with it
            return problem(draining())
        except CaracalError as refusal:
            return problem(refusal)
        except TimeoutError:
            text = "the request took too long; try again"
            return problem(CaracalError(Reason.STORE_UNAVAILABLE, text, retry_after=1))
        except Exception:  # noqa: BLE001 - a fault of ours must not tell its cause to a stranger
            _log.exception("a request failed unforeseen")
            return fault()
        return None


class _Talk:
    """One request and its answer, `last` on its connection unless the body was read to its end:
    what would follow is the rest of that body.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.last = _has_body(Headers(scope=scope))
        self.answered = False

    async def receive(self) -> Message:
        """The next part of the body."""
        message = await self._receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self.last = False
        return message

    async def send(self, message: Message) -> None:
        """The next part of the answer."""
        if message["type"] == "http.response.start":
            self.answered = True
            added = [_NOSNIFF, _CLOSE] if self.last else [_NOSNIFF]
            message = {**message, "headers": [*message.get("headers", ()), *added]}
        await self._send(message)


def _refusal(scope: Scope, bounds: Bounds) -> Response | None:
    """The answer to a request that is too large or can be read in two ways; `None` for a fit one.

    No path of ours has an escape: a proxy that tells paths apart may read one in another way. Both
    lengths of a body at once are how a request is smuggled past a proxy (RFC 9112 section 6.1), who
    would have taken the rest for another one.
    """
    fields = scope["headers"]
    size = len(scope["raw_path"]) + len(scope["query_string"])
    size += sum(len(name) + len(value) + len(": \r\n") for name, value in fields)
    if size > bounds.head_bytes or len(fields) > bounds.fields:
        return problem(_too_large(bounds))
    if scope["http_version"] not in _VERSIONS:
        return problem(field_invalid("request", "must be of HTTP/1.1"))
    if b"%" in scope["raw_path"]:
        return problem(nowhere())
    headers = Headers(scope=scope)
    twice = [name for name in _ONCE if len(headers.getlist(name)) > 1]
    if twice:
        return problem(field_invalid(twice[0], "must be there once"))
    if {"content-length", "transfer-encoding"} <= set(headers):
        return problem(field_invalid("content-length", "must be left out beside another length"))
    if scope["method"] in _BODILESS and _has_body(headers):
        return problem(field_invalid("content-length", "must be 0: this method has no body"))
    return None


def nowhere() -> CaracalError:
    """The refusal of a path at which nothing is."""
    return CaracalError(Reason.OBJECT_NOT_FOUND, "nothing is at this path; check the URL")


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _too_large(bounds: Bounds) -> CaracalError:
    text = f"the head is over {bounds.head_bytes} bytes or {bounds.fields} fields; send less"
    metadata = {"limit": str(bounds.head_bytes)}
    return CaracalError(Reason.METADATA_TOO_LARGE, text, metadata=metadata)
