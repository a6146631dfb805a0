"""Client interceptors for `grpc.aio` channels: each call carries the mandate that its method needs.

The channel must be TLS, or loopback: an interceptor cannot see what its channel is, and a mandate
sent in the clear belongs to whoever reads it. Asking the authority counts against the deadline of
the call. When it fails, the call fails with the status that the authority gave.

A call that a handler makes also carries on the request id, the trace and the baggage of the call
that is being handled, unless somebody else set them.

A call that is refused as unauthenticated, for a reason that a fresh mandate could mend, is made
once more with one: a unary request when no response has come, a stream of requests when, besides,
none of it was taken. That is a stream written by hand or an async iterator whose first request was
not there yet; a plain iterator is taken from at once. A taken request may have been handled before
the call was cut, so it is the caller's to repeat. Nor is a call made again whose end was told.

A channel that reopens streams does so with those of one request that were cut with
`MANDATE_EXPIRED`, as often as that happens and within the deadline of the call. The service begins
anew. A stream of requests stays the caller's: what it has said is gone, and nobody else could say
it again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Callable
from typing import Any

import grpc
from grpc.aio import AioRpcError, ClientCallDetails

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.interceptors.client.aio.renewing import (
    RenewingDuplex,
    RenewingStream,
    RenewingUpload,
)
from caracal_grpc.interceptors.client.aio.tokens import AioTokens
from caracal_grpc.interceptors.client.attachment import (
    Attachment,
    OnBehalf,
    attach,
    caller_token,
    carry,
)
from caracal_grpc.interceptors.client.exchange import deadline_exceeded
from caracal_grpc.interceptors.client.tokens import Ask, ExchangeError
from caracal_grpc.interceptors.client.tries import Tries, is_renewable
from caracal_grpc.interceptors.client.untaken import AioUntaken
from caracal_grpc.interceptors.context.current import carried_metadata
from caracal_grpc.interceptors.context.session import Place, place_of
from caracal_grpc.interceptors.resource_field import EACH
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.status import Status, to_status


def client_interceptors(
    tokens: AioTokens,
    rules: Rules | None = None,
    *,
    on_behalf: OnBehalf | Callable[[], OnBehalf],
    session: Place = None,
    binding: str | None = None,
    reopen: bool = False,
    application: str = "",
) -> list[grpc.aio.ClientInterceptor]:
    """The interceptors for one `grpc.aio` channel, one for each cardinality.

    `on_behalf` is one of `OnBehalf`, or says which on each call. `session` is the session that the
    channel acts in; without one, that in which the caller acts as `application`. `binding` is the
    thumbprint of the certificate that it shows, for mandates that are bound to it. With `reopen`, a
    stream of responses to one request is opened again, with a fresh mandate, when it was cut
    because its own expired.
    """
    attachment = Attachment(
        rules or Rules.default(), on_behalf, place_of(session), binding, reopen, application
    )
    # grpc.aio files an interceptor under the first of the four base classes that it matches.
    return [
        _UnaryUnary(tokens, attachment),
        _UnaryStream(tokens, attachment),
        _StreamUnary(tokens, attachment),
        _StreamStream(tokens, attachment),
    ]


def aio_error(status: Status) -> AioRpcError:
    """`status` as the exception that a `grpc.aio` call raises."""
    trailing = grpc.aio.Metadata(*status.trailing_metadata)
    return AioRpcError(status.code, grpc.aio.Metadata(), trailing, details=status.details)


class _Outgoing:
    """One call on its way out. Made before the first await: later the context may be another's.

    Raises `AioRpcError` when there is no caller and must be one.
    """

    __slots__ = ("_carried", "_details", "_end", "_plan", "_token", "_tokens")

    def __init__(
        self, tokens: AioTokens, attachment: Attachment, details: Any, request: Any
    ) -> None:
        self._tokens = tokens
        self._details = details
        self._carried = carried_metadata()
        try:
            self._plan = attachment.plan(details.method, details.metadata, caller_token(), request)
        except CaracalError as error:
            raise aio_error(to_status(error)) from error
        self._end = None if details.timeout is None else time.monotonic() + details.timeout
        self._token = ""

    @property
    def may_renew(self) -> bool:
        """Whether the mandate is ours to replace."""
        return isinstance(self._plan, Ask)

    async def details(self) -> Any:
        """The call's details with the mandate in them and the time that is left; raises
        `AioRpcError`.
        """
        metadata = self._details.metadata
        if self._plan is None and not self._carried:
            return self._details
        try:
            if self._plan is not None:
                self._token = await self._mandate(self._plan)
                metadata = attach(metadata, self._token)
            if self._carried:
                metadata = carry(metadata, self._carried)
            left = self._left()
        except ExchangeError as error:
            raise aio_error(error.status) from error
        except CaracalError as error:
            raise aio_error(to_status(error)) from error
        return ClientCallDetails(
            self._details.method,
            left,
            grpc.aio.Metadata(*metadata),
            self._details.credentials,
            self._details.wait_for_ready,
        )

    async def renewed(self) -> Any:
        """The details for another try, with a fresh mandate; `None` when there is to be none."""
        if not isinstance(self._plan, Ask) or not self._tokens.drop(self._plan, self._token):
            return None
        try:
            return await self.details()
        except AioRpcError:
            # The refusal of the call itself says more than why it could not be mended.
            return None

    async def _mandate(self, plan: Ask | str) -> str:
        return plan if isinstance(plan, str) else await self._tokens.get(plan, self._left())

    def _left(self) -> float | None:
        if self._end is None:
            return None
        left: float = self._end - time.monotonic()
        if left <= 0:
            raise deadline_exceeded()
        return left


class _Interceptor:
    """What the four have in common."""

    def __init__(self, tokens: AioTokens, attachment: Attachment) -> None:
        self._tokens = tokens
        self._attachment = attachment

    def _outgoing(self, details: Any, request: Any) -> _Outgoing:
        return _Outgoing(self._tokens, self._attachment, details, request)


class _UnaryUnary(_Interceptor, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        outgoing = self._outgoing(client_call_details, request)
        details = await outgoing.details()
        if not outgoing.may_renew:
            return await continuation(details, request)
        try:
            call = await continuation(details, request)
        except AioRpcError as error:
            # An interceptor after ours awaited the call itself.
            renewable = is_renewable(error.code(), error.trailing_metadata())
            again = await outgoing.renewed() if renewable else None
            if again is None:
                raise
        else:
            again = await _refused(call, outgoing)
            if again is None:
                return call
        return await continuation(again, request)


class _UnaryStream(_Interceptor, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        outgoing = self._outgoing(client_call_details, request)
        call = await continuation(await outgoing.details(), request)
        if not outgoing.may_renew:
            return call

        async def renew() -> Any:
            again = await outgoing.renewed()
            return None if again is None else await continuation(again, request)

        return RenewingStream(call, renew, Tries(reopens=self._attachment.reopen))


class _StreamUnary(_Interceptor, grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        outgoing = self._outgoing(client_call_details, EACH)
        return await _streamed(RenewingUpload, outgoing, continuation, request_iterator)


class _StreamStream(_Interceptor, grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        outgoing = self._outgoing(client_call_details, EACH)
        return await _streamed(RenewingDuplex, outgoing, continuation, request_iterator)


async def _streamed(
    renewing: type[RenewingUpload | RenewingDuplex],
    outgoing: _Outgoing,
    continuation: Any,
    requests: Any,
) -> Any:
    """A call with a stream of requests, to be made again while none of them has been taken.

    A plain iterator is taken from as soon as the call is made.
    """
    details = await outgoing.details()
    if not outgoing.may_renew or not isinstance(requests, AsyncIterable):
        return await continuation(details, requests)
    untaken = AioUntaken(requests)
    call = await continuation(details, untaken.first())
    if not isinstance(call, grpc.aio.Call):  # an interceptor after ours awaited the call itself
        return call

    async def renew() -> Any:
        requests = untaken.again()
        if requests is None:
            return None
        again = await outgoing.renewed()
        return None if again is None else await continuation(again, requests)

    return renewing(call, renew)


async def _refused(call: Any, outgoing: _Outgoing) -> Any:
    """Waits for the end of `call`; the details for a second try, `None` for none."""
    try:
        code = await call.code()
        if code is not grpc.StatusCode.UNAUTHENTICATED:
            return None
        renewable = is_renewable(code, await call.trailing_metadata())
        return await outgoing.renewed() if renewable else None
    except asyncio.CancelledError:
        call.cancel()
        raise
