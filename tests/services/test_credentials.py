"""CredentialService on the wire: what goes in comes out, and never a secret twice."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.v1 import credential_service_pb2
from tests.support.authority import Running, reason_of
from tests.support.contract import promised

UNKNOWN = "crd_01h455vb4pex5vsknk084sn02q"


async def asked(authority: Running, method: str, **fields: Any) -> Any:
    """A call of the CredentialService as the operator."""
    request = getattr(credential_service_pb2, f"CredentialService{method}Request")
    call: Awaitable[Any] = getattr(authority.stubs.credentials, method)(
        request(zone="shop", **fields), metadata=await authority.operator()
    )
    return await call


async def test_credentials(authority: Running) -> None:
    """Made, shown, ended; times are those that were asked for."""
    made = await asked(
        authority, "Create", application="agent", ttl={"seconds": 60}, expire_others={"seconds": 9}
    )
    assert made.info.expire_time.seconds - made.info.create_time.seconds == 60
    assert made.credential.id == made.info.id
    shown = await asked(authority, "Get", id=made.info.id)
    assert shown.credential == made.info
    listed = (await asked(authority, "List", application="agent")).credentials
    assert [each.HasField("expire_time") for each in listed] == [True, True]
    gone = await asked(authority, "Delete", id=made.info.id)
    assert gone.audit_id.startswith("aud_")
    assert await reason_of(asked(authority, "Get", id=made.info.id)) is Reason.OBJECT_NOT_FOUND


@pytest.mark.parametrize(
    ("method", "fields", "reason"),
    [
        ("Create", {"application": "nobody"}, Reason.OBJECT_NOT_FOUND),
        ("Create", {"application": ""}, Reason.FIELD_INVALID),
        ("Create", {"application": "agent", "ttl": {"seconds": 59}}, Reason.FIELD_INVALID),
        ("Create", {"application": "agent", "ttl": {"seconds": -1}}, Reason.FIELD_INVALID),
        ("Create", {"application": "agent", "ttl": {"seconds": 10**9}}, Reason.FIELD_INVALID),
        ("Create", {"application": "agent", "expire_others": {"nanos": -1}}, Reason.FIELD_INVALID),
        ("Get", {"id": UNKNOWN}, Reason.OBJECT_NOT_FOUND),
        ("Get", {"id": "agent"}, Reason.FIELD_INVALID),
        ("List", {"application": "nobody"}, Reason.OBJECT_NOT_FOUND),
        ("List", {"page_token": "zz"}, Reason.FIELD_INVALID),
        ("Delete", {"id": UNKNOWN}, Reason.OBJECT_NOT_FOUND),
    ],
    ids=str,
)
async def test_refusals_of_credentials(
    authority: Running, method: str, fields: dict[str, Any], reason: Reason
) -> None:
    """Each promised by its comment."""
    assert await reason_of(asked(authority, method, **fields)) is reason
    assert reason.value in promised(f"/caracal.v1.CredentialService/{method}")


async def test_fifth_secret_is_one_too_many(authority: Running) -> None:
    """LIMIT_EXCEEDED, unless the others end."""
    for _ in range(3):
        await asked(authority, "Create", application="agent")
    again = asked(authority, "Create", application="agent")
    assert await reason_of(again) is Reason.LIMIT_EXCEEDED
    await asked(authority, "Create", application="agent", expire_others={"seconds": 0})
    assert len((await asked(authority, "List", application="agent")).credentials) == 1
