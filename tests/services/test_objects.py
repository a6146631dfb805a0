"""The standard methods on the wire: what goes in comes out, what is refused was promised."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from caracal_grpc.core.reason import Reason
from caracal_grpc.v1 import (
    application_service_pb2,
    credential_service_pb2,
    issuer_service_pb2,
    proof_system_service_pb2,
    resource_service_pb2,
    token_service_pb2,
    upstream_service_pb2,
    workload_issuer_service_pb2,
    zone_service_pb2,
)
from tests.services.test_answers import noted
from tests.support.authority import Running, reason_of
from tests.support.contract import Answers, promised
from tests.support.shop import CARACAL, ORDERS, PAYMENTS

TRUSTED = {
    "issuer": "https://corp.example",
    "audience": "shop",
    "jwks_uri": "https://corp.example/keys",
    "algorithms": ["ES256"],
    "max_age_seconds": 60,
}
KINDS: dict[str, tuple[Any, dict[str, Any], str, Any]] = {
    # its messages, one of it, a field to change, and to what
    "application": (
        application_service_pb2,
        {
            "name": "late",
            "labels": ["batch"],
            "ceiling": [{"resource": ORDERS, "scopes": ["orders:place"]}],
        },
        "labels",
        ["night", "day"],
    ),
    "resource": (
        resource_service_pb2,
        {
            "name": "resource://tea",
            "scopes": ["tea:brew", "tea:drink"],
            "max_ttl_seconds": 60,
            "may_act": [{"actor": "agent", "subjects": ["*"]}],
        },
        "max_ttl_seconds",
        90,
    ),
    "issuer": (
        issuer_service_pb2,
        {"name": "corp", **TRUSTED},
        "audience",
        "mall",
    ),
    "proof_system": (
        proof_system_service_pb2,
        {"name": "corp", **TRUSTED},
        "algorithms",
        ["RS256", "ES256"],
    ),
    "workload_issuer": (
        workload_issuer_service_pb2,
        {"name": "mesh", **TRUSTED, "issuer": "spiffe://corp.example", "audience": ""},
        "jwks_uri",
        "https://corp.example/bundle",
    ),
    "upstream": (
        upstream_service_pb2,
        {"name": "crm", "resource": PAYMENTS, "bearer": {"token": "hunter2"}},
        "resource",
        ORDERS,
    ),
}


SECRET: dict[str, dict[str, Any]] = {"upstream": {"bearer": {}}}
"""Fields of a kind that come out without the secret in them."""


class Wire:
    """Calls of one kind as the operator."""

    def __init__(self, authority: Running, kind: str) -> None:
        self.kind, self.authority = kind, authority
        self.messages, self.one, self.field, self.value = KINDS[kind]
        self.service = "".join(part.capitalize() for part in kind.split("_")) + "Service"
        self.stub = getattr(authority.stubs, f"{kind}s")

    async def call(self, method: str, **fields: Any) -> Any:
        """The answer to a request of `fields` in the shop."""
        request = getattr(self.messages, f"{self.service}{method}Request")(zone="shop", **fields)
        metadata = await self.authority.operator()
        return await getattr(self.stub, method)(request, metadata=metadata)

    async def refused(self, method: str, answers: Answers, **fields: Any) -> Reason | None:
        """Why it is refused, which its comment promises."""
        reason = await reason_of(self.call(method, **fields))
        assert reason is not None
        path = f"/caracal.v1.{self.service}/{method}"
        await noted(answers, path, reason.value)
        assert reason.value in promised(path)
        return reason

    def of(self, answer: Any) -> Any:
        """The object in an answer."""
        return getattr(answer, self.kind)


@pytest.fixture(params=KINDS)
def wire(request: pytest.FixtureRequest, authority: Running) -> Wire:
    """Each kind, one after the other."""
    return Wire(authority, request.param)


async def test_object_comes_out_as_it_went_in(wire: Wire) -> None:
    """By Create, Get and List alike, with what the authority adds to it."""
    made = await wire.call("Create", **{wire.kind: wire.one})
    assert made.revision > 0
    assert made.audit_id.startswith("aud_")
    shown = wire.of(made)
    for name, value in wire.one.items():
        again = type(shown)(**{name: SECRET.get(wire.kind, {}).get(name, value)})
        assert getattr(shown, name) == getattr(again, name), name
    assert shown.etag
    assert wire.of(await wire.call("Get", **{wire.kind: wire.one["name"]})) == shown
    listed = await wire.call("List", filter=f'name = "{wire.one["name"]}"')
    assert list(getattr(listed, f"{wire.kind}s")) == [shown]
    await wire.call("Delete", **{wire.kind: wire.one["name"]}, etag=shown.etag)
    listed = await wire.call("List", filter=f'name = "{wire.one["name"]}"')
    assert not getattr(listed, f"{wire.kind}s")


async def test_update_takes_what_its_mask_names(wire: Wire) -> None:
    """And leaves all else; its etag and its answer are those of what is there now."""
    before = wire.of(await wire.call("Create", **{wire.kind: wire.one}))
    wanted = {"name": wire.one["name"], wire.field: wire.value, "etag": before.etag}
    mask = FieldMask(paths=[wire.field])
    done = await wire.call("Update", **{wire.kind: wanted}, update_mask=mask)
    after = wire.of(done)
    expected = type(before)()
    expected.CopyFrom(before)
    expected.ClearField(wire.field)
    expected.MergeFrom(type(before)(**{wire.field: wire.value}))
    expected.etag = after.etag
    assert after == expected
    assert after.etag != before.etag
    assert wire.of(await wire.call("Get", **{wire.kind: wire.one["name"]})) == after
    same = await wire.call("Update", **{wire.kind: {**wanted, "etag": ""}})
    assert (same.audit_id, wire.of(same)) == ("", after)


async def test_refusals_of_each_kind(wire: Wire, answers: Answers) -> None:
    """What each method answers with, and nothing else."""
    name, kind = wire.one["name"], wire.kind
    made = wire.of(await wire.call("Create", **{kind: wire.one}))
    mask = FieldMask(paths=["name"])
    missing = "resource://nothing" if kind == "resource" else "nobody"
    other = {"name": missing, wire.field: wire.value}
    told = {
        ("Create", Reason.OBJECT_EXISTS): {kind: wire.one},
        ("Create", Reason.FIELD_INVALID): {kind: {"name": "NO NAME"}},
        ("Get", Reason.OBJECT_NOT_FOUND): {kind: missing},
        ("Get", Reason.FIELD_INVALID): {kind: "NO NAME"},
        ("List", Reason.FIELD_INVALID): {"filter": "nothing"},
        ("Update", Reason.FIELD_INVALID): {kind: wire.one, "update_mask": mask},
        ("Update", Reason.CONFLICT): {kind: {**other, "name": name, "etag": "1"}},
        ("Update", Reason.OBJECT_NOT_FOUND): {kind: other},
        ("Delete", Reason.CONFLICT): {kind: name, "etag": "1"},
        ("Delete", Reason.OBJECT_NOT_FOUND): {kind: missing},
    }
    for (method, reason), fields in told.items():
        assert await wire.refused(method, answers, **fields) is reason, (method, fields)
    for bad in ({"page_size": -1}, {"page_size": 501}, {"page_token": "zz"}):
        assert await wire.refused("List", answers, **bad) is Reason.FIELD_INVALID
    assert wire.of(await wire.call("Get", **{kind: name})) == made


async def test_pages(wire: Wire) -> None:
    """Each once, in the order of names."""
    for number in range(5):
        name = f"resource://a{number}" if wire.kind == "resource" else f"a{number}"
        one = {**wire.one, "name": name}
        if "issuer" in one:
            one["issuer"] = f"https://a{number}.example"
        await wire.call("Create", **{wire.kind: one})
    found: list[str] = []
    token = ""
    while True:
        page = await wire.call("List", page_size=2, page_token=token)
        found += [each.name for each in getattr(page, f"{wire.kind}s")]
        token = page.next_page_token
        if not token:
            break
    assert found == sorted(found)
    assert len(found) == len(set(found)) >= 5


async def test_what_is_referred_to_is_not_deleted(authority: Running, answers: Answers) -> None:
    """FIELD_INVALID, whose violations name the places."""
    for kind, name in (("application", "agent"), ("resource", PAYMENTS)):
        wire = Wire(authority, kind)
        assert await wire.refused("Delete", answers, **{kind: name}) is Reason.FIELD_INVALID


async def test_application_is_made_with_a_secret_that_works(authority: Running) -> None:
    """Answered once, by its id known afterwards."""
    wire = Wire(authority, "application")
    made = await wire.call("Create", application={"name": "late"})
    assert made.credential.application_id == made.application.id
    assert made.credential.application_name == "late"
    client = token_service_pb2.ClientAuthentication(
        application_id=made.application.id, client_secret=made.credential.client_secret
    )
    assert (await authority.exchange("late", CARACAL, client=client)).mandate
    listed = await authority.stubs.credentials.List(
        credential_service_pb2.CredentialServiceListRequest(zone="shop", application="late"),
        metadata=await authority.operator(),
    )
    assert [each.id for each in listed.credentials] == [made.credential.id]


async def of_zones(authority: Running, method: str, **fields: Any) -> Any:
    """A call of the ZoneService as the operator."""
    request = getattr(zone_service_pb2, f"ZoneService{method}Request")(**fields)
    metadata = await authority.operator()
    return await getattr(authority.stubs.zones, method)(request, metadata=metadata)


async def test_zones(authority: Running) -> None:
    """Made, listed, changed by a mask into their settings, and removed."""
    settings = {"max_hops": 3, "limits": {"zone_per_second": 10}}
    made = await of_zones(authority, "Create", zone={"name": "mall", "settings": settings})
    assert made.zone.issuer == "https://a.example/zones/mall"
    assert (made.zone.settings.max_hops, made.zone.settings.limits.zone_burst) == (3, 20)
    listed = await of_zones(authority, "List", filter='name = "m*"')
    assert list(listed.zones) == [made.zone]
    wanted = {"name": "mall", "etag": made.zone.etag, "settings": {"max_hops": 9}}
    changed = await of_zones(authority, "Update", zone=wanted)
    assert changed.zone.settings.max_hops == 9
    assert changed.zone.settings.limits == made.zone.settings.limits
    assert await reason_of(of_zones(authority, "Update", zone=wanted)) is Reason.CONFLICT
    mask = FieldMask(paths=["settings.max_hops"])
    back = await of_zones(authority, "Update", zone={"name": "mall"}, update_mask=mask)
    assert back.zone.settings.max_hops == 5
    whole = await of_zones(authority, "Get", zone="mall")
    assert whole.zone.etag == back.zone.etag
    again = of_zones(authority, "Create", zone={"name": "mall"})
    assert await reason_of(again) is Reason.OBJECT_EXISTS
    bad = of_zones(
        authority, "Update", zone={"name": "mall"}, update_mask=FieldMask(paths=["frozen"])
    )
    assert await reason_of(bad) is Reason.FIELD_INVALID
    gone = await of_zones(authority, "Delete", zone="mall", etag=back.zone.etag)
    assert gone.audit_id.startswith("aud_")
    assert await reason_of(of_zones(authority, "Get", zone="mall")) is Reason.OBJECT_NOT_FOUND


async def test_zone_shows_the_etags_of_what_is_in_it(authority: Running) -> None:
    """Those that its own methods show, so that what is read there can be changed here."""
    shown = (await of_zones(authority, "Get", zone="shop")).zone
    for kind in ("application", "resource"):
        wire = Wire(authority, kind)
        listed = await wire.call("List", page_size=500)
        ours = {each.name: each.etag for each in getattr(listed, f"{kind}s")}
        assert {each.name: each.etag for each in getattr(shown, f"{kind}s")} == ours
