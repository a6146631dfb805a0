"""A good request to each method of the authority, and what there is for it to be about."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.services.register import SERVICES
from caracal_grpc.v1 import (
    approval_service_pb2,
    audit_pb2,
    credential_service_pb2,
    policy_service_pb2,
    upstream_service_pb2,
)
from tests.support.authority import Running, reason_of
from tests.support.contract import METHODS
from tests.support.refusals import refused
from tests.support.shop import ORDERS, PAYMENTS

RULES = Rules.from_descriptors(*SERVICES)
GUARDED = [path for path in METHODS if not (rule := RULES.find(path)) or not rule.public]
ACKNOWLEDGE = "/caracal.v1.RevocationService/Acknowledge"
"""Open to all, for the streams that are theirs: none has the one that is asked for here."""
DELEGATE = "/caracal.v1.DelegationService/Delegate"
HEARTBEAT = "/caracal.v1.SessionService/Heartbeat"
TAKE_OVER = "/caracal.v1.SessionService/TakeOver"
LIST_ZONES = "/caracal.v1.ZoneService/List"
"""About no zone: who asks sees its own, and an operator all."""
RELEASE = "/caracal.v1.ApprovalService/Release"
"""Open to all: the proof decides, and here no proof can."""
PUBLIC = sorted(METHODS.keys() - set(GUARDED))


@dataclass(frozen=True)
class Target:
    """What a request is about: a zone, and objects in it."""

    zone: str
    session: str
    mandate: str
    entry: str
    token: str = ""
    delegation: str = "del_01h455vb4pex5vsknk084sn02q"
    approval: str = "apr_01h455vb4pex5vsknk084sn02q"
    binding: str = "of another"
    version: str = "sha256:0123456789abcdef"
    spare: str = "sha256:0123456789abcdef"
    credential: str = "crd_01h455vb4pex5vsknk084sn02q"


def filled(path: str, target: Target) -> Any:
    """A good request to the method about `target`."""
    method = METHODS[path]
    request = GetMessageClass(method.input_type)()
    name = path.rpartition("/")[2]
    service = method.containing_service.name
    if path == LIST_ZONES:
        return request
    if service == "ZoneService" and name in {"Apply", "Create", "Update"}:
        request.zone.name = target.zone
        return request
    if "query" in method.input_type.fields_by_name:
        request.query.zone = target.zone
        return request
    request.zone = target.zone
    if service in BY_SERVICE:
        return BY_SERVICE[service](request, target)
    if name == "Revoke":
        request.anchor = target.mandate
    if name == "Acknowledge":
        request.feed_id = "fed_01h455vb4pex5vsknk084sn02q"
    if name == "WaitApplied":
        request.revision = 1
    if name == "Consume":
        request.mandate, request.method = target.token, "/shop.v1.Orders/Place"
        request.request_id = "req_01h455vb4pex5vsknk084sn02q"
    return request


def audit_request(request: Any, target: Target) -> Any:
    """A good request to a method of the AuditService; of an entry by its index the first."""
    fields = request.DESCRIPTOR.fields_by_name
    if "reevaluate" in fields:
        request.audit_id = target.entry
    elif "index" in fields:
        request.index = 0
    if "first_size" in fields:
        request.first_size = 1
    if "decisions" in fields:
        request.decisions.add(
            id="aud_01h455vb4pex5vsknk084sn02q",
            time=Timestamp(seconds=1_790_000_000),
            decision=audit_pb2.AUDIT_DECISION_ALLOW,
            method="/shop.v1.Orders/Place",
        )
    return request


def delegation_request(request: Any, target: Target) -> Any:
    """A good request to a method of the DelegationService."""
    fields = request.DESCRIPTOR.fields_by_name
    if "id" in fields:
        request.id = target.delegation
    if "receiver" in fields:
        request.receiver = "orders"
        request.ceiling.add(resource=ORDERS, scopes=["orders:place"])
        request.ttl.seconds = 60
    return request


def session_request(request: Any, target: Target) -> Any:
    """A good request to a method of the SessionService, for a service session."""
    values = {"id": target.session, "generation": 1}
    for name in values.keys() & request.DESCRIPTOR.fields_by_name.keys():
        setattr(request, name, values[name])
    return request


def approval_request(request: Any, target: Target) -> Any:
    """A good request to a method of the ApprovalService, but for its proof."""
    values = {"id": target.approval, "binding": target.binding, "proof": "a.b.c"}
    for name in values.keys() & request.DESCRIPTOR.fields_by_name.keys():
        setattr(request, name, values[name])
    return request


def key_request(request: Any, target: Target) -> Any:
    """A good request to a method of the KeyService, about a key that there is not."""
    if "kid" in request.DESCRIPTOR.fields_by_name:
        request.kid = "key_01h455vb4pex5vsknk084sn02q"
    return request


def policy_request(request: Any, target: Target) -> Any:
    """A good request to a method of the PolicyService."""
    versions = {"Activate": target.version, "Delete": target.spare, "Replay": target.version}
    for name, version in versions.items():
        if request.DESCRIPTOR.name == f"PolicyService{name}Request":
            request.version = version
    if request.DESCRIPTOR.name == "PolicyServiceSimulateRequest":
        request.question.application, request.question.resource = "agent", ORDERS
    return request


def retention_request(request: Any, target: Target) -> Any:
    """A good request to a method of the RetentionService; the hold is one that there is not."""
    known = request.DESCRIPTOR.fields_by_name
    if "hold" in known:
        request.hold.reason = "a case"
    if "before" in known:
        request.before.seconds = 1_700_000_000
    if "subject" in known:
        request.subject = "usr_01h455vb4pex5vsknk084sn02q"
    if "id" in known:
        request.id = "hld_01h455vb4pex5vsknk084sn02q"
    return request


def object_request(request: Any, target: Target) -> Any:
    """A good request to a standard method of a kind of objects: about the spare one of the zone."""
    known = request.DESCRIPTOR.fields_by_name
    one = "new" if request.DESCRIPTOR.name.endswith("CreateRequest") else "spare"
    trusted = {"issuer": f"https://{one}.example", "audience": "new"}
    wanted: dict[str, Any] = {
        "application": {"labels": ["spare"]},
        "resource": {"scopes": ["spare:use", "spare:more"]},
        "issuer": trusted,
        "proof_system": trusted,
        "workload_issuer": trusted | {"audience": "", "max_age_seconds": 60},
        "upstream": {"resource": ORDERS, "bearer": {"token": "new"}},
    }
    for name in wanted.keys() & known.keys():
        named = f"resource://{one}" if name == "resource" else one
        if known[name].message_type is None:
            setattr(request, name, "spare" if name == "application" else named)
        else:
            request.MergeFrom(type(request)(**{name: {"name": named, **wanted[name]}}))
    if "id" in known:
        request.id = target.credential
    if "mandate" in known:
        request.mandate = target.token
    return request


BY_SERVICE: dict[str, Callable[[Any, Target], Any]] = {
    "AuditService": audit_request,
    "KeyService": key_request,
    "ApprovalService": approval_request,
    "DelegationService": delegation_request,
    "PolicyService": policy_request,
    "RetentionService": retention_request,
    "SessionService": session_request,
    **dict.fromkeys(
        (
            "ApplicationService",
            "CredentialService",
            "IssuerService",
            "ProofSystemService",
            "ResourceService",
            "UpstreamService",
            "WorkloadIssuerService",
        ),
        object_request,
    ),
}
"""Services of which all requests are filled alike."""


async def held(authority: Running) -> tuple[str, str]:
    """The id and the binding of an approval that the agent waits for."""
    with refused(Reason.STEP_UP_REQUIRED) as refusal:
        await authority.exchange("agent", PAYMENTS, "payments:refund")
    found = await authority.stubs.approvals.Get(
        approval_service_pb2.ApprovalServiceGetRequest(
            zone="shop", id=refusal.metadata["approval_id"]
        ),
        metadata=await authority.caller("agent"),
    )
    return found.approval.id, found.approval.binding


async def spare_credential(authority: Running) -> str:
    """The secret of an application that nothing refers to; the shop then has one of each kind."""
    trusted = {"name": "spare", "issuer": "https://spare.example", "audience": "shop"}
    spares = {
        "name": "shop",
        "applications": [{"name": "spare"}],
        "resources": [{"name": "resource://spare", "scopes": ["spare:use"]}],
        "issuers": [trusted],
        "proof_systems": [trusted],
        "workload_issuers": [trusted | {"audience": ""}],
    }
    await authority.apply(spares, prune=False)
    made = authority.stubs.upstreams.Create(
        upstream_service_pb2.UpstreamServiceCreateRequest(
            zone="shop",
            upstream={"name": "spare", "resource": ORDERS, "bearer": {"token": "old"}},
        ),
        metadata=await authority.operator(),
    )
    assert await reason_of(made) in {None, Reason.OBJECT_EXISTS}
    listed = await authority.stubs.credentials.List(
        credential_service_pb2.CredentialServiceListRequest(zone="shop", application="spare"),
        metadata=await authority.operator(),
    )
    found: str = listed.credentials[0].id
    return found


async def versions(authority: Running) -> tuple[str, ...]:
    """Two versions of the shop's policy, which decide nothing."""
    made = []
    for resource in (ORDERS, PAYMENTS):
        scopes = ["orders:place"] if resource == ORDERS else ["payments:charge"]
        policy = {"grants": [{"application": "agent", "resource": resource, "scopes": scopes}]}
        response = await authority.stubs.policies.Create(
            policy_service_pb2.PolicyServiceCreateRequest(zone="shop", policy=policy),
            metadata=await authority.operator(),
        )
        made.append(response.version.version)
    return tuple(made)


async def call(authority: Running, path: str, request: Any, metadata: Iterable[Any] = ()) -> Any:
    """One call of any method, as bytes on the wire; of a stream the first message."""
    method = METHODS[path]
    make = authority.channel.unary_unary
    if method.server_streaming:
        make = authority.channel.unary_stream
    stub = make(
        path, type(request).SerializeToString, GetMessageClass(method.output_type).FromString
    )
    if method.server_streaming:
        stream = stub(request, metadata=tuple(metadata))
        first = await stream.read()
        stream.cancel()
        return first
    return await stub(request, metadata=tuple(metadata))


async def targets(authority: Running) -> Target:
    """Objects of the shop."""
    issued = await authority.exchange("agent", ORDERS)
    entry = issued.audit_id
    from caracal_grpc.v1 import session_service_pb2

    started = await authority.stubs.sessions.Start(
        session_service_pb2.SessionServiceStartRequest(zone="shop", kind="SESSION_KIND_SERVICE"),
        metadata=await authority.caller("agent"),
    )
    request = GetMessageClass(METHODS[DELEGATE].input_type)(zone="shop")
    made = await authority.stubs.delegations.Delegate(
        delegation_request(request, Target("shop", "", "", "")),
        metadata=await authority.caller("agent"),
    )
    return Target(
        "shop",
        started.session.id,
        issued.jti,
        entry,
        issued.mandate,
        made.delegation.id,
        *await held(authority),
        *await versions(authority),
        await spare_credential(authority),
    )
