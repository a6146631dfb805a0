"""Spans of outgoing calls, made by OpenTelemetry's own gRPC instrumentation, with what came of it.

Its client interceptors await a call before they hand it out, or turn it into a bare generator, so
they cannot stand in a channel whose calls are to stay what they are. Its interceptor is shown a
call here that stands for the real one: begun when that is, and ended when that has.

A span that is being recorded for the call already, by the service's own instrumentation, serves
instead.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any, Final, NamedTuple

import grpc
from opentelemetry.instrumentation.grpc import client_interceptor
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.trace import (
    Span,
    SpanKind,
    Status,
    StatusCode,
    TracerProvider,
    get_current_span,
    use_span,
)

from caracal_grpc.interceptors.context.inbound import without_claims
from caracal_grpc.interceptors.context.trace import TRACEPARENT, TRACESTATE
from caracal_grpc.interceptors.status import read_refusal

Metadata = list[tuple[str, str | bytes]]

_CODE: Final = "rpc.grpc.status_code"
_BEARER: Final = "Bearer "


class ClientSpans:
    """Makes the spans of the calls of one edge."""

    def __init__(self, zone: str, provider: TracerProvider | None) -> None:
        self._zone = zone
        self._upstream: Any = client_interceptor(provider)

    def begin(self, method: str, resource: str, application: str) -> ClientSpan | None:
        """The span of a call that begins now; `None` where instrumentation is suppressed."""
        if not is_instrumentation_enabled():
            return None
        call = ClientSpan()
        if not call.adopts(get_current_span(), method):
            self._upstream.intercept_unary(None, (), _Info(method, None), call.begun)
        said = {"caracal.zone": self._zone, "caracal.application": application}
        if resource:
            said["caracal.resource"] = resource
        call.span.set_attributes(said)
        return call


class _Info(NamedTuple):
    """What the interceptor asks of a call."""

    full_method: str
    timeout: float | None


class ClientSpan:
    """One outgoing call: to the interceptor a future, to the edge an `OutgoingCall`."""

    span: Span

    def __init__(self) -> None:
        self._injected: Metadata = []
        self._callbacks: list[Callable[[Any], None]] = []
        self._code = grpc.StatusCode.OK

    def adopts(self, span: Span, method: str) -> bool:
        """Whether `span` is one of this call already, which this one is from now on."""
        self.span = span
        kind, name = getattr(span, "kind", None), getattr(span, "name", None)
        return span.is_recording() and kind is SpanKind.CLIENT and name == method

    def begun(self, _: Any, metadata: Iterable[tuple[str, str]]) -> ClientSpan:
        """Is the call that the interceptor makes, within its span and with what it injected."""
        self.span = get_current_span()
        self._injected = list(without_claims(metadata))
        return self

    def current(self) -> AbstractContextManager[Any]:
        """Within it, the span is that of what runs; it ends with the call."""
        return use_span(
            self.span, end_on_exit=False, record_exception=False, set_status_on_exception=False
        )

    def carried(self, metadata: Iterable[tuple[str, str | bytes]] | None) -> Metadata:
        """A copy of `metadata` with the trace in it, in place of any other."""
        replaced = {key for key, _ in self._injected}
        if TRACEPARENT in replaced:
            replaced.add(TRACESTATE)
        kept = [entry for entry in metadata or () if entry[0] not in replaced]
        return kept + self._injected

    def sent(self, metadata: Iterable[tuple[str, str | bytes]] | None) -> None:
        """Writes on the span which grant goes along, by what it says of itself."""
        if self.span.is_recording():
            self.span.set_attributes(_grant(metadata or ()))

    def ended(self, code: grpc.StatusCode, trailing_metadata: Any) -> None:
        """Ends the span with what came of the call; the first end counts."""
        self._code = code
        if self.span.is_recording():
            self.span.set_attributes(_outcome(code, trailing_metadata))
            if code is not grpc.StatusCode.OK:  # older interceptors leave it out
                self.span.set_attribute(_CODE, code.value[0])
                self.span.set_status(Status(StatusCode.ERROR))
        while self._callbacks:
            self._callbacks.pop()(self)

    def add_done_callback(self, fn: Callable[[Any], None]) -> None:
        """The interceptor's, which ends the span."""
        self._callbacks.append(fn)

    def code(self) -> grpc.StatusCode:
        """The status that the interceptor writes on the span."""
        return self._code

    def result(self) -> None:
        """Nothing: what was answered is not looked at."""


grpc.Future.register(ClientSpan)


def _outcome(code: grpc.StatusCode, trailing_metadata: Any) -> dict[str, str]:
    """How it was decided. A failure without a refusal of ours says nothing of that."""
    if code is grpc.StatusCode.OK:
        return {"caracal.decision": "allowed"}
    refusal = read_refusal(trailing_metadata)
    if refusal is None:
        return {}
    return {"caracal.decision": "refused", "caracal.reason": refusal.reason.name}


def _grant(metadata: Iterable[tuple[str, str | bytes]]) -> dict[str, str | int]:
    """What the mandate that goes along says of itself, unverified; nothing of one that is none."""
    for key, value in metadata:
        if key == "authorization" and isinstance(value, str) and value.startswith(_BEARER):
            return _claims(value.removeprefix(_BEARER))
    return {}


def _claims(token: str) -> dict[str, str | int]:
    try:
        payload = token.split(".")[1]
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        audit_id, hops = claims.get("audit_id"), claims.get("hop_count", 0)
    except (AttributeError, IndexError, ValueError):
        return {}
    said: dict[str, str | int] = {}
    if isinstance(audit_id, str):
        said["caracal.audit_id"] = audit_id
    if isinstance(hops, int):
        said["caracal.hops"] = hops
    return said
