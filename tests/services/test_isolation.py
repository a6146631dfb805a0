"""Nothing of one zone is reachable from another's credentials: every rpc is tried.

Who tries has every scope there is, in a zone of its own. Each method has a case here at least,
and a new one without a case fails. What is answered must not depend on what the other zone has.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import grpc.aio
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message_factory import GetMessageClass

from caracal_grpc.authority.state import places
from caracal_grpc.core.limits import AUTHORITY_SCOPES
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.status import from_rpc_error
from caracal_grpc.v1 import (
    credential_service_pb2,
    key_service_pb2,
    retention_service_pb2,
    upstream_service_pb2,
)
from tests.services.access_cases import call, targets
from tests.services.isolation_cases import (
    CASES,
    EXCHANGE,
    NOTHING,
    REQUEST,
    SERVICE,
    Template,
    Things,
    mall,
    request_to,
    target,
)
from tests.support.authority import Running
from tests.support.contract import METHODS
from tests.support.shop import CARACAL, ORDERS, shop

PATHS = sorted(
    f"{SERVICE}{service}/{method}" for service, methods in CASES.items() for method in methods
)
LIST_ZONES = f"{SERVICE}ZoneService/List"
KEY_SET = f"{SERVICE}KeyService/GetKeySet"
CONSUME, RELEASE = f"{SERVICE}TokenService/Consume", f"{SERVICE}ApprovalService/Release"
TOLD = frozenset({"revision", "audit_id", "audit_ids", "etag", "next_page_token", "resume_token"})
"""Parts of an answer that are different each time, or count what happened in the whole store."""


def test_every_rpc_has_a_case() -> None:
    """One that is new is tried here, too, or this fails."""
    assert sorted(METHODS) == PATHS


def cases(path: str) -> list[Template]:
    """What is asked of a method."""
    service, _, method = path.removeprefix(SERVICE).partition("/")
    return CASES[service][method]


@dataclass(frozen=True)
class Told:
    """All that an answer tells: why it was refused and in which words, or what it holds."""

    reason: Reason | None
    text: str = ""
    metadata: tuple[tuple[str, str], ...] = ()
    answer: str = ""


async def told(authority: Running, path: str, request: Any, metadata: Any, things: Things) -> Told:
    """What a call tells, with the things that were asked for written as what they are."""
    try:
        answer = await call(authority, path, request, metadata)
    except grpc.aio.AioRpcError as error:
        refusal = from_rpc_error(error)
        assert refusal is not None, error
        facts = {name: value for name, value in refusal.metadata.items() if name not in TOLD}
        shown = tuple(sorted((name, general(value, things)) for name, value in facts.items()))
        return Told(refusal.reason, general(refusal.message, things), shown)
    if answer is grpc.aio.EOF:
        return Told(None)
    kept = {name: value for name, value in _shown(answer).items() if name not in TOLD}
    return Told(None, answer=general(str(kept), things))


def _shown(answer: Any) -> dict[str, Any]:
    return MessageToDict(answer, preserving_proto_field_name=True)


def general(text: str, things: Things) -> str:
    """A text with each thing as the word for it."""
    for name, value in sorted(asdict(things).items(), key=lambda item: -len(item[1])):
        text = text.replace(value, f"<{name}>")
    return text


@pytest.fixture
async def things(authority: Running) -> Things:
    """What the shop has."""
    made = await authority.apply(target())
    found = await targets(authority)
    keeper = authority.credentials["shop", "keeper"]
    operator = await authority.operator()
    await authority.stubs.upstreams.Create(
        upstream_service_pb2.UpstreamServiceCreateRequest(
            zone="shop",
            upstream={"name": "crm", "resource": ORDERS, "bearer": {"token": "theirs"}},
        ),
        metadata=operator,
    )
    held = await authority.stubs.retention.CreateLegalHold(
        retention_service_pb2.CreateLegalHoldRequest(zone="shop", hold={"reason": "a case"}),
        metadata=operator,
    )
    listed = await authority.stubs.credentials.List(
        credential_service_pb2.CredentialServiceListRequest(zone="shop", application="keeper"),
        metadata=operator,
    )
    keys = await authority.stubs.keys.ListKeys(
        key_service_pb2.ListKeysRequest(zone="shop"), metadata=operator
    )
    return Things(
        application_id=keeper.application_id,
        application="keeper",
        secret=keeper.client_secret,
        credential=listed.credentials[0].id,
        session=found.session,
        delegation=found.delegation,
        approval=found.approval,
        binding=found.binding,
        jti=found.mandate,
        audit_id=found.entry,
        kid=keys.keys[0].public.kid,
        version=made.policy_version,
        resource="resource://vault",
        issuer="corp",
        proof_system="seal",
        workload_issuer="cluster",
        upstream="crm",
        hold=held.hold.id,
        token=found.token,
    )


async def of_the_shop(authority: Running) -> dict[Any, Any]:
    """All that the store has of the shop, but how far replicas are with its policy."""
    store = authority.server._store
    assert store is not None
    records = (await store.list("shop")).records
    return {each.key: each.value for each in records if each.key.kind != places.POLICY_LOADS}


@pytest.fixture
async def stranger(authority: Running) -> Any:
    """Who tries: every scope of the authority, in a zone of its own."""
    await authority.apply(mall())
    issued = await authority.exchange("agent", CARACAL, zone="mall")
    assert set(issued.scopes) == set(AUTHORITY_SCOPES)
    return (("authorization", f"Bearer {issued.mandate}"),)


@pytest.mark.parametrize("zone", ["shop", "caracal"])
async def test_no_rpc_reaches_into_another_zone(
    authority: Running, things: Things, stranger: Any, zone: str
) -> None:
    """ZONE_FORBIDDEN, in the same words for what is there, what is not, and zones that are not."""
    client = authority.credentials["mall", "agent"]
    before = await of_the_shop(authority)
    for path in sorted(set(PATHS) - {LIST_ZONES, KEY_SET}):
        wanted = Reason.CLIENT_AUTH_FAILED if path == EXCHANGE else Reason.ZONE_FORBIDDEN
        for template in cases(path):
            if path == EXCHANGE and "client" in template:
                continue  # with their secret it would be them
            answers = {
                await told(authority, path, request, stranger, about)
                for name, about in ((zone, things), (zone, NOTHING), ("nowhere", NOTHING))
                for request in [request_to(path, name, template, about, client)]
            }
            assert {each.reason for each in answers} == {wanted}, (path, template)
            assert len(answers) == 1, (path, template, answers)
    assert await of_the_shop(authority) == before


async def test_no_id_of_another_zone_means_anything_at_home(
    authority: Running, things: Things, stranger: Any
) -> None:
    """It is answered as one that nobody has, and does nothing to whose it is."""
    client = authority.credentials["mall", "agent"]
    before = await of_the_shop(authority)
    tried = 0
    for path in sorted(set(PATHS) - {CONSUME, RELEASE}):
        for template in cases(path):
            if "$" not in str(template):
                continue
            theirs, nobodys = [
                await told(authority, path, request, stranger, about)
                for about in (things, NOTHING)
                for request in [request_to(path, "mall", template, about, client)]
            ]
            assert theirs == nobodys, (path, template)
            tried += 1
    assert tried > 40
    assert await of_the_shop(authority) == before
    dead = authority.server._authority.state.dead("shop")  # type: ignore[union-attr]
    assert not dead & set(asdict(things).values())


@pytest.mark.parametrize("path", [EXCHANGE, CONSUME, RELEASE])
async def test_no_token_of_another_zone_means_anything_at_home(
    authority: Running, things: Things, stranger: Any, path: str
) -> None:
    """Whoever has one knows what is in it, so only that it is refused matters."""
    template: Template = {
        EXCHANGE: {"resource": ORDERS, "subject_token": "$token"},
        CONSUME: {"mandate": "$token", "method": "/shop.v1.Orders/Place", "request_id": REQUEST},
        RELEASE: {"id": "$approval", "proof": "$token"},
    }[path]
    client = authority.credentials["mall", "agent"]
    request = request_to(path, "mall", template, things, client)
    answer = await told(authority, path, request, stranger, things)
    assert answer.reason is not None


async def test_lists_of_zones_show_ones_own_alone(authority: Running, stranger: Any) -> None:
    """Whatever is asked for."""
    for text in ("", 'name = "shop"', 'name = "*"', "frozen = false"):
        request = ParseDict({"filter": text}, GetMessageClass(METHODS[LIST_ZONES].input_type)())
        answer = await call(authority, LIST_ZONES, request, stranger)
        assert {zone.name for zone in answer.zones} <= {"mall"}


async def test_key_sets_are_public_and_nothing_else_is(authority: Running, things: Things) -> None:
    """Whoever verifies mandates reads them without one: public keys alone."""
    answer = await call(authority, KEY_SET, key_service_pb2.GetKeySetRequest(zone="shop"), ())
    shown = str(_shown(answer))
    secret = {name: value for name, value in asdict(things).items() if name != "kid"}
    assert not [name for name, value in secret.items() if value in shown]


async def test_no_scope_of_a_zone_makes_an_operator(authority: Running, stranger: Any) -> None:
    """Neither an application, nor a secret, nor a policy, nor an issuer of the zone caracal."""
    state = authority.server._authority.state  # type: ignore[union-attr]
    operator = authority.profile.application_id
    kept = state.application("caracal", operator)
    tries = {
        f"{SERVICE}CredentialService/Create": {"application": operator},
        f"{SERVICE}CredentialService/Delete": {"id": kept.credentials[0].id},
        f"{SERVICE}ApplicationService/Create": {"application": {"name": "mine"}},
        f"{SERVICE}IssuerService/Create": {
            "issuer": {"name": "mine", "issuer": "https://m.example", "audience": "a"}
        },
        f"{SERVICE}ApplicationService/Update": {
            "application": {"name": "operator", "identities": [{"dns_name": "mine.example"}]}
        },
        f"{SERVICE}WorkloadIssuerService/Create": {
            "workload_issuer": {"name": "mine", "issuer": "https://m.example"}
        },
        f"{SERVICE}PolicyService/Create": {"policy": {}},
        f"{SERVICE}PolicyService/Activate": {"version": NOTHING.version},
        f"{SERVICE}ZoneService/Update": {"zone": {"settings": {"max_hops": 1}}},
    }
    for path, template in tries.items():
        request = request_to(path, "caracal", template, NOTHING, None)
        answer = await told(authority, path, request, stranger, NOTHING)
        assert answer.reason is Reason.ZONE_FORBIDDEN, path
    assert state.application("caracal", operator) == kept


@pytest.mark.parametrize(
    "scope",
    [
        "caracal:credentials:write",
        "caracal:applications:write",
        "caracal:issuers:write",
        "caracal:workload_issuers:write",
        "caracal:policies:activate",
    ],
)
async def test_no_clerk_of_the_authority_makes_itself_an_operator(
    authority: Running, scope: str
) -> None:
    """In the zone caracal, too, such a scope is for the objects of other zones alone."""
    own = {
        "name": "caracal",
        "applications": [{"name": "operator"}, {"name": "clerk"}],
        "policy": {
            "grants": [
                {
                    "application": "operator",
                    "resource": CARACAL,
                    "scopes": list(AUTHORITY_SCOPES),
                },
                {"application": "clerk", "resource": CARACAL, "scopes": [scope]},
            ]
        },
    }
    applied = await authority.apply(own)
    clerk = await authority.caller("clerk", "caracal")
    kind = scope.split(":")[1]
    path = {
        "credentials": f"{SERVICE}CredentialService/Create",
        "applications": f"{SERVICE}ApplicationService/Create",
        "issuers": f"{SERVICE}IssuerService/Create",
        "workload_issuers": f"{SERVICE}WorkloadIssuerService/Create",
        "policies": f"{SERVICE}PolicyService/Activate",
    }[kind]
    template: Template = {
        "credentials": {"application": "operator"},
        "applications": {"application": {"name": "mine"}},
        "issuers": {"issuer": {"name": "mine", "issuer": "https://m.example", "audience": "a"}},
        "workload_issuers": {"workload_issuer": {"name": "mine", "issuer": "https://m.example"}},
        "policies": {"version": applied.policy_version},
    }[kind]
    request = request_to(path, "caracal", template, NOTHING, None)
    answer = await told(authority, path, request, clerk, NOTHING)
    assert answer.reason is Reason.SCOPE_INSUFFICIENT
    if kind == "credentials":
        template = {"application": "agent"}
    if kind == "policies":
        template = {"version": (await authority.apply(shop(settings={}))).policy_version}
    elsewhere = request_to(path, "shop", template, NOTHING, None)
    assert (await told(authority, path, elsewhere, clerk, NOTHING)).reason is None
