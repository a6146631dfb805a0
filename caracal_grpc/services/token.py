"""TokenService: the exchange, and the one use of a mandate."""

from __future__ import annotations

from typing import Any, Final

import grpc.aio

from caracal_grpc.authority.audit.proofs import AuditProofs
from caracal_grpc.authority.exchange.case import ExchangeRequest
from caracal_grpc.authority.exchange.consumption import Consumption, Use
from caracal_grpc.authority.exchange.exchange import Exchange
from caracal_grpc.authority.workloads.peers import Peers
from caracal_grpc.core import limits
from caracal_grpc.core.entry import MAX_TEXT
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.ids import (
    APPLICATION,
    APPROVAL,
    REQUEST,
    SESSION,
    require_id,
    require_resource,
)
from caracal_grpc.core.peer import Peer
from caracal_grpc.interceptors.context.current import current_mandate
from caracal_grpc.services.audit_receipt import receipt_message
from caracal_grpc.services.peer import peer_of
from caracal_grpc.services.render import (
    context_facts,
    generation,
    scopes,
    whole_seconds,
    zone_name,
)
from caracal_grpc.v1 import token_service_pb2, token_service_pb2_grpc

_MAX_SECRET: Final = 128
_MAX_DURATION: Final = 315_576_000_000
"""Seconds that a well-formed Duration may hold (google/protobuf/duration.proto)."""
_TOKEN_TYPE: Final = "urn:ietf:params:oauth:token-type:jwt"  # noqa: S105 - RFC 8693 section 3


class TokenServicer(token_service_pb2_grpc.TokenServiceServicer):
    """Parses what is asked, has it decided, renders the answer."""

    def __init__(
        self, exchange: Exchange, consumption: Consumption, proofs: AuditProofs, peers: Peers
    ) -> None:
        self._exchange = exchange
        self._consumption = consumption
        self._proofs = proofs
        self._peers = peers

    async def Exchange(
        self,
        request: token_service_pb2.ExchangeRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> token_service_pb2.ExchangeResponse:
        """See `TokenService.Exchange` in the proto."""
        issued = await self._exchange.issue(read_exchange(request, peer_of(self._peers, context)))
        mandate = issued.mandate
        response = token_service_pb2.ExchangeResponse(
            mandate=issued.token,
            scopes=sorted(mandate.scopes),
            audit_id=mandate.audit_id,
            issued_token_type=_TOKEN_TYPE,
            jti=mandate.jti,
            certificate_thumbprint=mandate.binding or "",
        )
        if request.receipt:
            proven = await self._proofs.receipt(mandate.zone, mandate.audit_id)
            response.receipt.CopyFrom(receipt_message(proven))
        response.expires_in.seconds = self._exchange.remaining(mandate)
        return response

    async def Consume(
        self,
        request: token_service_pb2.ConsumeRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> token_service_pb2.ConsumeResponse:
        """See `TokenService.Consume` in the proto."""
        use = Use(
            zone=zone_name(request.zone),
            token=_token(request.mandate),
            request_id=require_id("request_id", request.request_id, REQUEST),
            method=_method(request.method),
        )
        consumed = await self._consumption.consume(current_mandate(), use)
        return token_service_pb2.ConsumeResponse(
            revision=consumed.revision, audit_id=consumed.audit_id
        )


def _binding(peer: Peer) -> str:
    """The thumbprint of the certificate that the connection shows: never one from the message."""
    if not peer.thumbprint and not peer.unclear:
        raise field_invalid(
            "bind",
            "needs a connection with a client certificate, to an authority that verifies it "
            "(tls_client_ca_file); ask for an unbound mandate on this one",
        )
    return peer.thumbprint


def _application(client: token_service_pb2.ClientAuthentication, peer: Peer) -> str:
    """The application that calls; it shows something by which it can be told."""
    application = require_id("client.application_id", client.application_id, APPLICATION)
    if client.WhichOneof("method") is None and not peer.thumbprint and not peer.unclear:
        raise field_invalid(
            "client",
            "must carry a proof, client_secret or client_assertion, or come with a client "
            "certificate, to an authority that verifies it",
        )
    return application


def read_exchange(
    request: token_service_pb2.ExchangeRequest, peer: Peer, token_url: str = ""
) -> ExchangeRequest:
    """What is asked of the exchange, whichever way it came; raises `FIELD_INVALID`.

    `token_url` is that of the token endpoint, when it came over HTTP.
    """
    ttl = min(whole_seconds("ttl", request.ttl, _MAX_DURATION), limits.MAX_SESSION_TTL)
    return ExchangeRequest(
        zone=zone_name(request.zone),
        application=_application(request.client, peer),
        secret=_secret(request.client),
        assertion=_assertion(request.client),
        resource=require_resource("resource", request.resource),
        scopes=scopes("scopes", request.scopes),
        subject_token=_token(request.subject_token),
        actor_token=_token(request.actor_token),
        session=_session(request.session_id),
        ttl=ttl or None,
        request_id=_request_id(request.request_id),
        context=context_facts("context", request.context),
        peer=peer,
        token_url=token_url,
        binding=_binding(peer) if request.bind else "",
        approval=_approval(request.approval_id),
        generation=generation("lease_generation", request.lease_generation, least=0),
    )


def _secret(client: token_service_pb2.ClientAuthentication) -> str | None:
    if not client.HasField("client_secret"):
        return None
    if len(client.client_secret) > _MAX_SECRET:
        raise field_invalid("client.client_secret", f"must be at most {_MAX_SECRET} characters")
    return client.client_secret


def _assertion(client: token_service_pb2.ClientAuthentication) -> str | None:
    if not client.HasField("client_assertion"):
        return None
    if len(client.client_assertion) > limits.MAX_FOREIGN_TOKEN:
        raise field_invalid(
            "client.client_assertion", f"must be at most {limits.MAX_FOREIGN_TOKEN} characters"
        )
    return client.client_assertion


def _token(value: str) -> str:
    # A token over the budget is refused as one, by the verdict; this only bounds what is hashed.
    return value[: limits.MAX_TOKEN_BYTES + 1]


def _method(value: str) -> str:
    if not 0 < len(value) <= MAX_TEXT or not value.isprintable():
        raise field_invalid("method", f"must be 1 to {MAX_TEXT} printable characters")
    return value


def _session(value: str) -> str:
    return require_id("session_id", value, SESSION) if value else ""


def _approval(value: str) -> str:
    return require_id("approval_id", value, APPROVAL) if value else ""


def _request_id(value: str) -> str:
    if len(value) > limits.MAX_REQUEST_ID or not (value.isascii() and value.isprintable()):
        raise field_invalid(
            "request_id", f"must be at most {limits.MAX_REQUEST_ID} printable ASCII characters"
        )
    return value
