"""What an application authenticates by, on the wire: taken over whole, and answered as it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from caracal_grpc.core.reason import Reason
from caracal_grpc.v1 import application_pb2, application_service_pb2, credential_service_pb2
from tests.support.authority import Running, reason_of
from tests.support.foreign import ForeignSigner

WEB = {"spiffe_id": "spiffe://shop.example/ns/*/sa/web"}
DNS = {"dns_name": "web.shop.example"}
JWKS = json.dumps({"keys": [ForeignSigner.generate("EdDSA", "web").jwk]})


async def create(authority: Running, **fields: Any) -> Any:
    """An application of these fields."""
    request = application_service_pb2.ApplicationServiceCreateRequest(
        zone="shop", application={"name": "web", **fields}
    )
    return await authority.stubs.applications.Create(request, metadata=await authority.operator())


async def update(authority: Running, *mask: str, **fields: Any) -> application_pb2.Application:
    """The application after a change of it."""
    request = application_service_pb2.ApplicationServiceUpdateRequest(
        zone="shop", application={"name": "web", **fields}, update_mask=FieldMask(paths=mask)
    )
    stub = authority.stubs.applications
    return (await stub.Update(request, metadata=await authority.operator())).application


def members(application: application_pb2.Application) -> list[str]:
    """Which member each of its identities has."""
    return [str(each.WhichOneof("identity")) for each in application.identities]


@pytest.mark.parametrize("proof", [{"identities": [WEB]}, {"jwks": JWKS}])
async def test_workload_is_made_without_a_secret(authority: Running, proof: dict[str, Any]) -> None:
    """And one that is nothing but its name with one; either is given more by its service."""
    made = await create(authority, **proof)
    assert not made.HasField("credential")
    assert made.application.standing_session_id
    request = credential_service_pb2.CredentialServiceCreateRequest(zone="shop", application="web")
    more = await authority.stubs.credentials.Create(request, metadata=await authority.operator())
    assert more.credential.application_id == made.application.id


async def test_each_field_is_changed_by_itself(authority: Running) -> None:
    """What the mask does not name stays; what it names and is not set is taken away."""
    await create(authority, identities=[WEB, DNS], labels=["night"])
    after = await update(authority, jwks=JWKS)
    assert (members(after), after.jwks) == (["spiffe_id", "dns_name"], JWKS)
    after = await update(authority, "identities", identities=[DNS], jwks="{}")
    assert (members(after), after.jwks, list(after.labels)) == (["dns_name"], JWKS, ["night"])
    after = await update(authority, "jwks")
    assert (members(after), after.jwks) == (["dns_name"], "")
    after = await update(authority, "*")
    assert (members(after), list(after.labels)) == ([], [])


async def test_part_of_an_identity_is_no_field(authority: Running) -> None:
    """They are taken over together, since there is no saying which is which."""
    await create(authority, identities=[WEB])
    refusal = await reason_of(update(authority, "identities.spiffe_id", identities=[DNS]))
    assert refusal is Reason.FIELD_INVALID


async def test_violations_name_the_field_of_the_request(authority: Running) -> None:
    """By its path in it, and nothing is made."""
    for fields in ({"identities": [{}]}, {"identities": [DNS, DNS]}, {"jwks": '{"keys": []}'}):
        assert await reason_of(create(authority, **fields)) is Reason.FIELD_INVALID
    assert (await create(authority, identities=[DNS])).revision
