"""What a call brought besides its mandate: a request id, a trace, and claims that nobody checked.

A mandate says who calls. Whatever else says so is taken away before the handler sees it, since it
is as easily written by the caller as by the proxy that it seems to come from.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterable
from typing import Any, Final

import grpc

from caracal_grpc.core.limits import MAX_REQUEST_ID
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.interceptors.context.trace import (
    BAGGAGE,
    TRACEPARENT,
    TRACESTATE,
    claims_identity,
    is_ours,
    read_baggage,
    read_traceparent,
    read_tracestate,
)

REQUEST_ID: Final = "x-request-id"

IDENTITY_METADATA: Final = frozenset(
    {
        # Envoy, and with it Istio and Consul
        "x-forwarded-client-cert",
        # whatever ends TLS (RFC 9440)
        "client-cert",
        "client-cert-chain",
        # Linkerd
        "l5d-client-id",
        # oauth2-proxy and its like
        "x-auth-request-email",
        "x-auth-request-groups",
        "x-auth-request-preferred-username",
        "x-auth-request-user",
        "x-forwarded-email",
        "x-forwarded-groups",
        "x-forwarded-preferred-username",
        "x-forwarded-user",
        "remote-user",
        "x-remote-group",
        "x-remote-user",
        # nginx, and with it ingresses
        "ssl-client-cert",
        "ssl-client-issuer-dn",
        "ssl-client-subject-dn",
        "ssl-client-verify",
        "x-client-cert",
        "x-ssl-client-cert",
        # Grafana and what imitates it
        "x-webauth-user",
        # the front ends of clouds
        "cf-access-authenticated-user-email",
        "x-amzn-oidc-identity",
        "x-goog-authenticated-user-email",
        "x-goog-authenticated-user-id",
        "x-ms-client-principal",
        "x-ms-client-principal-id",
        "x-ms-client-principal-idp",
        "x-ms-client-principal-name",
    }
)
"""Names under which meshes and proxies say who calls, signed by nobody.

Every name with `caracal` in it is one, too. A token that a handler can verify for itself is none.
"""

_OURS: Final = "caracal"
_WATCHED: Final = IDENTITY_METADATA | {BAGGAGE}
_REQUEST_ID_FORM: Final = re.compile(rf"[\x21-\x7e]{{1,{MAX_REQUEST_ID}}}")
_IDS: Final = SystemIds()
_making: Final = threading.Lock()

Metadata = tuple[tuple[str, Any], ...]


class Inbound:
    """The metadata of one call, without claims of identity; safe between threads.

    What is read of it is read on demand.
    """

    __slots__ = ("_carried", "_request_id", "_stripped", "metadata")

    def __init__(self, metadata: Iterable[tuple[str, Any]] | None) -> None:
        self.metadata: Metadata = metadata if type(metadata) is tuple else tuple(metadata or ())
        self._stripped = False
        self._request_id: str | None = None
        self._carried: tuple[tuple[str, str], ...] | None = None
        for key, _ in self.metadata:
            if key in _WATCHED or _OURS in key:
                self._strip()
                break

    def _strip(self) -> None:
        unclaimed = (entry for entry in self.metadata if not is_claim(entry[0]))
        kept = tuple(without_claims(unclaimed))
        self._stripped = kept != self.metadata
        self.metadata = kept

    @property
    def stripped(self) -> bool:
        """Whether there were claims, which are taken away."""
        return self._stripped

    @property
    def request_id(self) -> str:
        """The caller's `x-request-id` when it is one visible ASCII word; otherwise a fresh one."""
        if self._request_id is None:
            with _making:
                if self._request_id is None:
                    self._request_id = _taken(self.metadata) or _IDS.new("req")
        return self._request_id

    @property
    def carried(self) -> tuple[tuple[str, str], ...]:
        """What goes on with calls that this one causes, the most useful first."""
        if self._carried is None:
            traceparent = read_traceparent(_values(self.metadata, TRACEPARENT))
            tracestate = read_tracestate(_values(self.metadata, TRACESTATE))
            found = (
                (REQUEST_ID, self.request_id),
                (TRACEPARENT, traceparent),
                (TRACESTATE, tracestate if traceparent else None),
                (BAGGAGE, read_baggage(_values(self.metadata, BAGGAGE))),
            )
            self._carried = tuple((key, value) for key, value in found if value is not None)
        return self._carried

    def shown(self, context: Any) -> Any:
        """The servicer context for the handler: `context` itself, unless claims were taken away.

        To be asked where the handler runs: what OpenTelemetry read of such claims is taken away
        there, too.
        """
        if not self._stripped:
            return context
        _forget_claims()
        return StrippedContext(context, self.metadata)


class StrippedContext:
    """A servicer context of either stack, whose `invocation_metadata` holds no claims."""

    __slots__ = ("_context", "_metadata")

    def __init__(self, context: Any, metadata: Metadata) -> None:
        object.__setattr__(self, "_context", context)
        object.__setattr__(self, "_metadata", metadata)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._context, name, value)

    def invocation_metadata(self) -> Metadata:
        """The metadata that the caller sent, without claims of identity."""
        metadata: Metadata = self._metadata
        return metadata

    def claimed(self, key: str) -> list[str]:
        """What was taken away under this name."""
        return _values(self._context.invocation_metadata() or (), key)


def claimed(context: Any, key: str) -> list[str]:
    """What a call claims under a name that its handler is not shown, in whichever context it has.

    Only for who can tell whether the peer of that very connection may claim it: an authority that
    was told which proxies it trusts.
    """
    if isinstance(context, StrippedContext):
        return context.claimed(key)
    return _values(context.invocation_metadata() or (), key)


# Handlers may ask what they were given; the answer does not depend on what the caller sent.
grpc.ServicerContext.register(StrippedContext)


def is_claim(key: str) -> bool:
    """Whether metadata of this name says who calls."""
    return key in IDENTITY_METADATA or _OURS in key


def _forget_claims() -> None:
    """Takes claims out of OpenTelemetry's baggage, which whoever attached it detaches again."""
    baggage: Any = sys.modules.get("opentelemetry.baggage")
    if baggage is None:  # then nobody outside of us read any
        return
    context = None
    for name in baggage.get_all():
        if is_ours(name):
            context = baggage.remove_baggage(name, context)
    if context is not None:
        sys.modules["opentelemetry.context"].attach(context)


def without_claims(metadata: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """A copy of `metadata` whose baggage has no member named `caracal`.

    Baggage that might, and is malformed, is left out: who knows how others read it.
    """
    entries = list(metadata)
    baggage = _values(entries, BAGGAGE)
    if any(map(claims_identity, baggage)):
        entries = [entry for entry in entries if entry[0] != BAGGAGE]
        others = read_baggage(baggage)
        if others is not None:
            entries.append((BAGGAGE, others))
    return entries


def _values(metadata: Iterable[tuple[str, Any]], key: str) -> list[str]:
    return [value for name, value in metadata if name == key and isinstance(value, str)]


def _taken(metadata: Metadata) -> str | None:
    values = _values(metadata, REQUEST_ID)
    return values[0] if len(values) == 1 and _REQUEST_ID_FORM.fullmatch(values[0]) else None
