"""Client interceptors for synchronous channels: each call carries the mandate of its method.

The channel must be TLS, or loopback: an interceptor cannot see what its channel is, and a mandate
sent in the clear belongs to whoever reads it. Asking the authority counts against the deadline of
the call, and takes place before `future()` returns. When it fails, the call fails with the status
that the authority gave.

A call that a handler makes also carries on the request id, the trace and the baggage of the call
that is being handled, unless somebody else set them.

A call that is refused as unauthenticated, for a reason that a fresh mandate could mend, is made
once more with one: a unary request when no response has come, a stream of requests when, besides,
none of it was taken, that is when the iterator had its first request not ready yet. A taken request
may have been handled before the call was cut, so it is the caller's to repeat. Nor is a call made
again that `future()` gave back while it was running.

A channel that reopens streams does so with those of one request that were cut with
`MANDATE_EXPIRED`, as often as that happens and within the deadline of the call. The service begins
anew. A stream of requests stays the caller's: what it has said is gone, and nobody else could say
it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import grpc

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.interceptors.client.attachment import (
    Attachment,
    OnBehalf,
    attach,
    caller_token,
    carry,
)
from caracal_grpc.interceptors.client.exchange import deadline_exceeded
from caracal_grpc.interceptors.client.sync.details import Details
from caracal_grpc.interceptors.client.sync.renewing import FailedCall, RenewingStream
from caracal_grpc.interceptors.client.sync.tokens import SyncTokens
from caracal_grpc.interceptors.client.tokens import Ask, ExchangeError
from caracal_grpc.interceptors.client.tries import Tries, is_renewable
from caracal_grpc.interceptors.client.untaken import SyncUntaken
from caracal_grpc.interceptors.context.current import carried_metadata
from caracal_grpc.interceptors.context.session import Place, place_of
from caracal_grpc.interceptors.resource_field import EACH
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.status import to_status


def client_interceptors(
    tokens: SyncTokens,
    rules: Rules | None = None,
    *,
    on_behalf: OnBehalf | Callable[[], OnBehalf],
    session: Place = None,
    binding: str | None = None,
    reopen: bool = False,
    application: str = "",
) -> list[Any]:
    """The interceptor for `grpc.intercept_channel`, in a list for the sake of symmetry.

    `on_behalf`, `session`, `binding`, `reopen` and `application` are those of the asyncio side.
    """
    attachment = Attachment(
        rules or Rules.default(), on_behalf, place_of(session), binding, reopen, application
    )
    return [_Client(tokens, attachment)]


class _Outgoing:
    """One call on its way out. Raises `FailedCall` when there is no caller and must be one."""

    __slots__ = ("_carried", "_details", "_end", "_plan", "_token", "_tokens")

    def __init__(
        self, tokens: SyncTokens, attachment: Attachment, details: Any, request: Any
    ) -> None:
        self._tokens = tokens
        self._carried = carried_metadata()
        self._details = Details.of(details)
        try:
            self._plan = attachment.plan(
                details.method, self._details.metadata, caller_token(), request
            )
        except CaracalError as error:
            raise FailedCall(to_status(error)) from error
        self._end = None if details.timeout is None else time.monotonic() + details.timeout
        self._token = ""

    @property
    def may_renew(self) -> bool:
        """Whether the mandate is ours to replace."""
        return isinstance(self._plan, Ask)

    def details(self) -> Any:
        """The call's details with the mandate in them and the time that is left; raises
        `FailedCall`.
        """
        metadata = self._details.metadata
        if self._plan is None and not self._carried:
            return self._details
        try:
            if self._plan is not None:
                self._token = self._mandate(self._plan)
                metadata = attach(metadata, self._token)
            if self._carried:
                metadata = carry(metadata, self._carried)
            left = self._left()
        except ExchangeError as error:
            raise FailedCall(error.status) from error
        except CaracalError as error:
            raise FailedCall(to_status(error)) from error
        return self._details._replace(timeout=left, metadata=metadata)

    def renewed(self) -> Any:
        """The details for another try, with a fresh mandate; `None` when there is to be none."""
        if not isinstance(self._plan, Ask) or not self._tokens.drop(self._plan, self._token):
            return None
        try:
            return self.details()
        except FailedCall:
            # The refusal of the call itself says more than why it could not be mended.
            return None

    def _mandate(self, plan: Ask | str) -> str:
        return plan if isinstance(plan, str) else self._tokens.get(plan, self._left())

    def _left(self) -> float | None:
        if self._end is None:
            return None
        left: float = self._end - time.monotonic()
        if left <= 0:
            raise deadline_exceeded()
        return left


class _Client(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    def __init__(self, tokens: SyncTokens, attachment: Attachment) -> None:
        self._tokens = tokens
        self._attachment = attachment

    def _outgoing(self, details: Any, request: Any) -> _Outgoing:
        return _Outgoing(self._tokens, self._attachment, details, request)

    def intercept_unary_unary(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        try:
            outgoing = self._outgoing(client_call_details, request)
            call = continuation(outgoing.details(), request)
        except FailedCall as failed:
            return failed
        # A future that is still running is its caller's to wait for, and is not made again.
        if not outgoing.may_renew or not _is_refused(call):
            return call
        again = outgoing.renewed()
        return call if again is None else continuation(again, request)

    def intercept_unary_stream(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        try:
            outgoing = self._outgoing(client_call_details, request)
            call = continuation(outgoing.details(), request)
        except FailedCall as failed:
            return failed
        if not outgoing.may_renew:
            return call

        def renew() -> Any:
            again = outgoing.renewed()
            return None if again is None else continuation(again, request)

        return RenewingStream(call, renew, Tries(reopens=self._attachment.reopen))

    def intercept_stream_unary(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        requests = SyncUntaken(request_iterator)
        try:
            outgoing = self._outgoing(client_call_details, EACH)
            call = continuation(outgoing.details(), requests.first())
        except FailedCall as failed:
            return failed
        if not outgoing.may_renew or not _is_refused(call):
            return call
        again = _again(outgoing, continuation, requests)
        return call if again is None else again

    def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        requests = SyncUntaken(request_iterator)
        try:
            outgoing = self._outgoing(client_call_details, EACH)
            call = continuation(outgoing.details(), requests.first())
        except FailedCall as failed:
            return failed
        if not outgoing.may_renew:
            return call
        return RenewingStream(call, lambda: _again(outgoing, continuation, requests), Tries())


def _is_refused(call: Any) -> bool:
    """Whether `call` has ended, and a fresh mandate could mend it."""
    if not call.done() or call.code() is not grpc.StatusCode.UNAUTHENTICATED:
        return False
    return is_renewable(call.code(), call.trailing_metadata())


def _again(outgoing: _Outgoing, continuation: Any, requests: SyncUntaken) -> Any:
    """The second call; `None` when there is to be none."""
    untaken = requests.again()
    if untaken is None:
        return None
    again = outgoing.renewed()
    return None if again is None else continuation(again, untaken)
