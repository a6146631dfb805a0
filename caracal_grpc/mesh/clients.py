"""Which proxies may ask: those that are listed, by the certificate of their connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import grpc
import grpc.aio

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.spiffe import matches
from caracal_grpc.crypto.certificate import client_names
from caracal_grpc.interceptors.guard.plan import FACTORIES
from caracal_grpc.interceptors.status import to_status


class Clients:
    """The proxies that may ask, by SPIFFE id (a pattern holds of many) or thumbprint."""

    def __init__(self, listed: Iterable[str], clock: Clock) -> None:
        self._listed = tuple(listed)
        self._clock = clock

    def knows(self, certificate: bytes | None) -> bool:
        """Whether a certificate that TLS has verified, PEM or DER, is of one of them, now.

        A connection may outlive its certificate, and one that signs others names nobody.
        """
        try:
            names = client_names(certificate or b"")
        except CaracalError:
            return False
        if names.is_authority or not names.begins <= self._clock.now() <= names.ends:
            return False
        uri = names.uris[0] if len(names.uris) == 1 else ""
        return any(each == names.thumbprint or matches(each, uri) for each in self._listed)


class ClientsOnly(grpc.aio.ServerInterceptor):
    """Answers every call of a proxy that is not listed with a refusal, which lets nothing through.

    It is for a server whose handlers are all coroutines.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """The handler of one call, behind the check; an unknown method stays unknown."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        name, make = FACTORIES[bool(handler.request_streaming), bool(handler.response_streaming)]
        function = getattr(handler, name)

        async def listed_only(request: Any, context: Any) -> Any:
            certificates = context.auth_context().get("x509_pem_cert")
            if not self._clients.knows(certificates[0] if certificates else None):
                await context.abort(*to_status(_UNLISTED))
            return await function(request, context)

        return make(
            listed_only,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )


_UNLISTED = CaracalError(
    Reason.CLIENT_AUTH_FAILED,
    "the certificate of this proxy is of none that may ask; list it in tls.clients",
)
