"""The endpoints at which clients of a zone authenticate: for mandates, about them, and to end one.

Each does what the authority does over gRPC, by the same use cases: nothing is decided here.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from caracal_grpc.authority.audit.proofs import AuditProofs
from caracal_grpc.authority.exchange.clients import Client
from caracal_grpc.authority.exchange.exchange import Exchange
from caracal_grpc.authority.exchange.inspection import Inspection
from caracal_grpc.authority.revocation.revocations import Revocations
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.workloads.peers import Peers
from caracal_grpc.authority.workloads.proof import Proof
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.ids import APPLICATION, prefix_of, require_slug
from caracal_grpc.crypto import base64url, strict_json
from caracal_grpc.http.answers import NO_STORE, answer
from caracal_grpc.http.bounds import Bounds
from caracal_grpc.http.connection import peer_of
from caracal_grpc.http.credential import Credential, read_credential
from caracal_grpc.http.form import Form, read_form
from caracal_grpc.http.issuers import token_url
from caracal_grpc.http.oauth_error import Unfit, oauth_error
from caracal_grpc.http.token import granted, requested_type, wanted, with_receipt
from caracal_grpc.services.drain import Drain
from caracal_grpc.services.token import read_exchange

_log = logging.getLogger("caracal.http")

_WHY: Final = "by its holder, over http"

Work = Callable[[Request, Form, Credential], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class UseCases:
    """What the endpoints call. `drain` counts the work, so that it is finished at the end."""

    state: State
    exchange: Exchange
    inspection: Inspection
    revocations: Revocations
    proofs: AuditProofs
    peers: Peers
    drain: Drain


class ClientEndpoints:
    """Answers to POST."""

    def __init__(self, cases: UseCases, bounds: Bounds) -> None:
        self._cases = cases
        self._bounds = bounds

    async def token(self, request: Request) -> Response:
        """The token endpoint."""
        return await self._answered(request, self._token)

    async def introspect(self, request: Request) -> Response:
        """Introspection (RFC 7662)."""
        return await self._answered(request, self._introspect)

    async def revoke(self, request: Request) -> Response:
        """Revocation (RFC 7009)."""
        return await self._answered(request, self._revoke)

    async def _answered(self, request: Request, work: Work) -> Response:
        realm = _realm(request)
        try:
            form = await read_form(request, self._bounds)
            credential = read_credential(request.headers.get("authorization"), form)
            with self._cases.drain.call():
                return await work(request, form, credential)
        except Unfit as unfit:
            return oauth_error(unfit.refusal, realm, unfit.status)
        except CaracalError as refusal:
            if refusal.code == "UNAVAILABLE" and refusal.__cause__ is not None:
                _log.warning("%s", refusal.reason, exc_info=refusal.__cause__)
            return oauth_error(refusal, realm)

    async def _token(self, request: Request, form: Form, credential: Credential) -> Response:
        zone, exchange = request.path_params["zone"], self._cases.exchange
        message = wanted(zone, credential, form)
        peer = peer_of(self._cases.peers, request)
        url = token_url(self._cases.state.find_zone(zone))
        issued = await exchange.issue(read_exchange(message, peer, url))
        remaining = exchange.remaining(issued.mandate)
        told = granted(issued, requested_type(form), remaining)
        if not message.receipt:
            return answer(told)
        proven = await self._cases.proofs.receipt(issued.mandate.zone, issued.mandate.audit_id)
        return answer(with_receipt(told, proven))

    async def _introspect(self, request: Request, form: Form, credential: Credential) -> Response:
        """What the token says, while it lives; of any other no more than that it does not.

        Whoever may ask has the token, and thus all that it says, so that nobody learns more.
        """
        await self._client(request, credential, "token.introspect")
        token = _shown(form)
        if self._cases.inspection.alive(request.path_params["zone"], token) is None:
            return answer({"active": False})
        return answer({**_claims(token), "active": True, "token_type": "Bearer"})

    async def _revoke(self, request: Request, form: Form, credential: Credential) -> Response:
        """Ends a mandate of the client itself. One that is dead already, or none, is no error."""
        client = await self._client(request, credential, "token.revoke")
        zone = request.path_params["zone"]
        mandate = self._cases.inspection.alive(zone, _shown(form))
        if mandate is not None:
            if mandate.application != client.application.id:
                raise field_invalid("token", "is of another client; only its holder ends it here")
            await self._cases.revocations.revoke(mandate, zone, mandate.jti, _WHY)
        return Response(status_code=200, headers=dict(NO_STORE))

    async def _client(self, request: Request, credential: Credential, kind: str) -> Client:
        """Who asks, proven; raises `CLIENT_AUTH_FAILED`, of which an entry of type `kind` tells."""
        zone = request.path_params["zone"]
        if prefix_of(credential.application) != APPLICATION:
            raise field_invalid("client_id", f"must be an id that starts with {APPLICATION}_")
        proof = Proof(
            credential.secret,
            credential.assertion,
            peer_of(self._cases.peers, request),
            token_url(self._cases.state.find_zone(zone)),
        )
        return await self._cases.inspection.asker(zone, credential.application, proof, kind)


def _shown(form: Form) -> str:
    token = form.one("token")
    if not token:
        raise field_invalid("token", "must be there")
    return token


def _claims(token: str) -> dict[str, Any]:
    """What a token says that was verified already."""
    return strict_json.read_object(base64url.decode(token.split(".")[1]))


def _realm(request: Request) -> str:
    """What the client is asked to authenticate for: the zone, if that can be one."""
    try:
        return "zones/" + require_slug("zone", request.path_params["zone"])
    except CaracalError:
        return "zones"
