"""TokenService on the wire: what it answers, and which fields it refuses."""

from __future__ import annotations

import json
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto import base64url
from caracal_grpc.v1 import token_service_pb2
from tests.support.authority import Running
from tests.support.refusals import refused
from tests.support.shop import CARACAL, ORDERS, PAYMENTS

Client = token_service_pb2.ClientAuthentication
APPLICATION = "app_01h455vb4pex5vsknk084sn02q"


async def test_answer_has_all_that_rfc_8693_asks_for(authority: Running) -> None:
    """Token, its type, its life, its scopes; and the two ids by which it is found again."""
    response = await authority.exchange("agent", ORDERS, ttl=Duration(seconds=60))
    assert response.mandate.count(".") == 2
    assert response.issued_token_type == "urn:ietf:params:oauth:token-type:jwt"
    assert 58 <= response.expires_in.seconds <= 60
    assert list(response.scopes) == ["orders:cancel", "orders:place"]
    assert response.audit_id.startswith("aud_")
    assert response.jti.startswith("mnd_")


@pytest.mark.parametrize(
    ("resource", "seconds", "life"),
    [(ORDERS, 86_401, 900), (CARACAL, 315_576_000_000, 3600), (ORDERS, 1, 5)],
)
async def test_wish_for_a_life_is_brought_within_bounds(
    authority: Running, resource: str, seconds: int, life: int
) -> None:
    """However long, it is shortened and never refused; the shortest is five seconds."""
    response = await authority.exchange("agent", resource, ttl=Duration(seconds=seconds))
    claims = json.loads(base64url.decode(response.mandate.split(".")[1]))
    assert claims["exp"] - claims["iat"] == life


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "zone missing": ({"zone": ""}, "zone"),
    "zone no slug": ({"zone": "../caracal"}, "zone"),
    "client missing": ({"client": Client()}, "client.application_id"),
    "client id of another kind": (
        {"client": Client(application_id="ses_01h455vb4pex5vsknk084sn02q", client_secret="x")},
        "client.application_id",
    ),
    "proof missing": ({"client": Client(application_id=APPLICATION)}, "client"),
    "secret too long": (
        {"client": Client(application_id=APPLICATION, client_secret="x" * 129)},
        "client.client_secret",
    ),
    "resource missing": ({"resource": ""}, "resource"),
    "resource no url": ({"resource": "orders"}, "resource"),
    "resource too long": ({"resource": "resource://" + "x" * 129}, "resource"),
    "scope empty": ({"scopes": [""]}, "scopes"),
    "scope of two words": ({"scopes": ["orders:place orders:cancel"]}, "scopes"),
    "too many scopes": ({"scopes": [f"s:{n}" for n in range(65)]}, "scopes"),
    "session no id": ({"session_id": "mine"}, "session_id"),
    "ttl negative": ({"ttl": Duration(seconds=-1)}, "ttl"),
    "ttl of two signs": ({"ttl": Duration(seconds=60, nanos=-1)}, "ttl"),
    "ttl of many nanoseconds": ({"ttl": Duration(nanos=1_000_000_000)}, "ttl"),
    "ttl past what a duration holds": ({"ttl": Duration(seconds=315_576_000_001)}, "ttl"),
    "request id too long": ({"request_id": "x" * 129}, "request_id"),
    "request id not ascii": ({"request_id": "é"}, "request_id"),
    "request id with a control": ({"request_id": "a\nb"}, "request_id"),
    "too many facts": ({"context": {str(n): "" for n in range(17)}}, "context"),
    "long key": ({"context": {"k" * 65: ""}}, "context"),
    "long value": ({"context": {"k": "v" * 257}}, "context"),
}


@pytest.mark.parametrize("case", BAD)
async def test_bad_field_is_named(authority: Running, case: str) -> None:
    """FIELD_INVALID before anything else is looked at, and nothing is recorded for nobody."""
    changes, field = BAD[case]
    request = authority.request("agent", ORDERS)
    for name, value in changes.items():
        request.ClearField(name)
        request.MergeFrom(token_service_pb2.ExchangeRequest(**{name: value}))
    with refused(Reason.FIELD_INVALID) as seen:
        await authority.stubs.tokens.Exchange(request)
    assert seen.fields == [field]


async def test_refusal_says_nothing_of_its_cause(authority: Running) -> None:
    """A public text, a typed reason, the id of the entry, and no more."""
    token = (await authority.exchange("agent", ORDERS)).mandate
    with refused(Reason.SUBJECT_TOKEN_INVALID) as seen:
        await authority.exchange("orders", PAYMENTS, subject_token=token[:-2])
    assert set(seen.metadata) == {"cause", "audit_id"}


async def test_oversized_request_is_refused_by_the_platform(authority: Running) -> None:
    """More than 16 MiB never reaches a handler."""
    request = authority.request("agent", ORDERS, subject_token="x" * (17 * 1024 * 1024))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await authority.stubs.tokens.Exchange(request)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_peer_is_recorded(authority: Running) -> None:
    """The entry says from where the call came."""
    response = await authority.exchange("agent", ORDERS)
    found = authority.server._authority
    assert found is not None
    stored = await found.proving.audit._ledger.get("shop", response.audit_id)
    assert stored is not None
    assert stored.entry is not None
    assert stored.entry.peer.startswith("ipv4:127.0.0.1:")
