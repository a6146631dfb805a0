"""What is asked of every rpc when somebody of another zone tries it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from google.protobuf.json_format import ParseDict
from google.protobuf.message_factory import GetMessageClass

from caracal_grpc.core.limits import AUTHORITY_SCOPES
from tests.support.contract import METHODS
from tests.support.shop import CARACAL, ORDERS, PAYMENTS, shop

SERVICE = "/caracal.v1."
EXCHANGE = f"{SERVICE}TokenService/Exchange"
Template = Mapping[str, Any]


@dataclass(frozen=True)
class Things:
    """Something of each kind in a zone, by the names that the cases use."""

    application_id: str
    application: str
    secret: str
    credential: str
    session: str
    delegation: str
    approval: str
    binding: str
    jti: str
    audit_id: str
    kid: str
    version: str
    resource: str
    issuer: str
    proof_system: str
    workload_issuer: str
    upstream: str
    hold: str
    token: str


NOTHING = Things(
    application_id="app_01h455vb4pex5vsknk084sn02q",
    application="nobody",
    secret="no-such-secret",
    credential="crd_01h455vb4pex5vsknk084sn02q",
    session="ses_01h455vb4pex5vsknk084sn02q",
    delegation="del_01h455vb4pex5vsknk084sn02q",
    approval="apr_01h455vb4pex5vsknk084sn02q",
    binding="of another",
    jti="mnd_01h455vb4pex5vsknk084sn02q",
    audit_id="aud_01h455vb4pex5vsknk084sn02q",
    kid="key_01h455vb4pex5vsknk084sn02q",
    version="sha256:0123456789abcdef",
    resource="resource://nothing",
    issuer="no-issuer",
    proof_system="no-proofs",
    workload_issuer="no-mesh",
    upstream="no-upstream",
    hold="hld_01h455vb4pex5vsknk084sn02q",
    token="a.b.c",
)
"""What nobody has."""

REQUEST = "req_01h455vb4pex5vsknk084sn02q"
_ID = {"id": "$session"}
_APPROVAL = {"id": "$approval", "binding": "$binding"}
_DECISION = {
    "id": "$audit_id",
    "time": "2026-09-21T00:00:00Z",
    "decision": "AUDIT_DECISION_ALLOW",
    "method": "/shop.v1.Orders/Place",
}
CASES: dict[str, dict[str, list[Template]]] = {
    "ApplicationService": {
        "Get": [{"application": "$application_id"}, {"application": "$application"}],
        "List": [{}, {"filter": 'id = "$application_id"'}],
        "Create": [{"application": {"name": "new"}}],
        "Update": [{"application": {"name": "$application", "labels": ["x"]}}],
        "Delete": [{"application": "$application_id"}, {"application": "$application"}],
    },
    "ApprovalService": {
        "Get": [{"id": "$approval"}],
        "List": [{}],
        "Wait": [{"id": "$approval"}],
        "Approve": [_APPROVAL],
        "Reject": [_APPROVAL],
        "Release": [{"id": "$approval", "proof": "$token"}],
    },
    "AuditService": {
        "Search": [
            {},
            {"application_id": "$application_id"},
            {"session_id": "$session"},
            {"jti": "$jti"},
            {"about": "$session", "order_by": "time desc"},
        ],
        "Read": [
            {},
            {"query": {"application_id": "$application_id"}},
            {"query": {"session_id": "$session"}, "follow": True},
        ],
        "Explain": [{"audit_id": "$audit_id"}, {"jti": "$jti"}],
        "GetCheckpoint": [{}],
        "GetInclusionProof": [{"audit_id": "$audit_id"}, {"index": 0}],
        "GetConsistencyProof": [{"first_size": 1}],
        "GetRangeProof": [{}],
        "AddCosignature": [{"note": "$token"}],
        "GetIntegrity": [{}],
        "Record": [{"decisions": [_DECISION]}],
    },
    "CredentialService": {
        "Get": [{"id": "$credential"}],
        "List": [{}, {"application": "$application"}, {"application": "$application_id"}],
        "Create": [{"application": "$application"}, {"application": "$application_id"}],
        "Delete": [{"id": "$credential"}],
    },
    "DelegationService": {
        "Delegate": [
            {
                "session_id": "$session",
                "receiver": "orders",
                "ceiling": [{"resource": ORDERS, "scopes": ["orders:place"]}],
                "ttl": "60s",
            },
            {
                "receiver": "$application",
                "ceiling": [{"resource": ORDERS, "scopes": ["orders:place"]}],
                "ttl": "60s",
            },
        ],
        "Get": [{"id": "$delegation"}],
        "List": [{}, {"application_id": "$application_id"}],
        "Revoke": [{"id": "$delegation"}],
        "Impact": [{"id": "$delegation"}],
    },
    "DiagnosticsService": {"Diagnose": [{}]},
    "IssuerService": {
        "Get": [{"issuer": "$issuer"}],
        "List": [{}],
        "Create": [{"issuer": {"name": "new", "issuer": "https://n.example", "audience": "a"}}],
        "Update": [{"issuer": {"name": "$issuer", "audience": "mine"}}],
        "Delete": [{"issuer": "$issuer"}],
    },
    "KeyService": {
        "GetKeySet": [{}],
        "ListKeys": [{}],
        "RotateKey": [{}],
        "RetireKey": [{"kid": "$kid"}],
        "CompromiseKey": [{"kid": "$kid"}],
        "ResealKeys": [{}],
    },
    "PolicyService": {
        "Validate": [{"policy": {}}],
        "Create": [{"policy": {}}],
        "Get": [{}, {"version": "$version"}],
        "List": [{}],
        "Delete": [{"version": "$version"}],
        "Activate": [{"version": "$version"}],
        "Rollback": [{}],
        "GetStatus": [{}],
        "Simulate": [
            {"version": "$version", "question": {"application": "agent", "resource": ORDERS}},
            {"question": {"application": "$application", "resource": ORDERS}},
            {"question": {"application": "agent", "resource": "$resource"}},
        ],
        "Replay": [{"version": "$version", "window": "3600s"}],
        "SetShadow": [{"version": "$version"}],
        "GetShadow": [{}],
    },
    "ProofSystemService": {
        "Get": [{"proof_system": "$proof_system"}],
        "List": [{}],
        "Create": [
            {"proof_system": {"name": "new", "issuer": "https://n.example", "audience": "a"}}
        ],
        "Update": [{"proof_system": {"name": "$proof_system", "audience": "mine"}}],
        "Delete": [{"proof_system": "$proof_system"}],
    },
    "ResourceService": {
        "Get": [{"resource": "$resource"}],
        "List": [{}],
        "Create": [{"resource": {"name": "resource://new", "scopes": ["a:b"]}}],
        "Update": [{"resource": {"name": "$resource", "scopes": ["a:b"]}}],
        "Delete": [{"resource": "$resource"}],
    },
    "RetentionService": {
        "CreateLegalHold": [{"hold": {"reason": "a case"}}],
        "ListLegalHolds": [{}],
        "DeleteLegalHold": [{"id": "$hold"}],
        "Prune": [{"before": "2026-01-01T00:00:00Z"}],
        "EraseSubject": [{"subject": "usr_01h455vb4pex5vsknk084sn02q"}],
    },
    "RevocationService": {
        "Revoke": [
            {"anchor": "$session"},
            {"anchor": "$delegation"},
            {"anchor": "$application_id"},
            {"anchor": "$kid"},
            {"anchor": "$jti"},
            {"filter": {"application_id": "$application_id"}},
            {"issued_before": "2026-01-01T00:00:00Z"},
        ],
        "List": [{}],
        "Watch": [{}],
        "Acknowledge": [{"feed_id": "fed_01h455vb4pex5vsknk084sn02q", "revision": 1}],
        "WaitApplied": [{"revision": 1}],
    },
    "SessionService": {
        "Start": [{}, {"parent_id": "$session"}],
        "Get": [_ID],
        "List": [{}, {"application_id": "$application_id"}],
        "Terminate": [_ID],
        "Heartbeat": [{"id": "$session", "generation": 1}],
        "TakeOver": [_ID],
        "Suspend": [_ID],
        "Resume": [_ID],
    },
    "TokenService": {
        "Exchange": [
            {"resource": ORDERS, "session_id": "$session"},
            {"resource": PAYMENTS, "scopes": ["payments:refund"], "approval_id": "$approval"},
            {"resource": "$resource"},
            {
                "resource": ORDERS,
                "client": {"application_id": "$application_id", "client_secret": "$secret"},
            },
        ],
        "Consume": [
            {"mandate": "$token", "method": "/shop.v1.Orders/Place", "request_id": REQUEST}
        ],
    },
    "UpstreamService": {
        "Get": [{"upstream": "$upstream"}],
        "List": [{}],
        "Create": [{"upstream": {"name": "new", "resource": ORDERS, "bearer": {"token": "abc"}}}],
        "Update": [
            {"upstream": {"name": "$upstream", "resource": ORDERS}},
            {"upstream": {"name": "$upstream", "bearer": {"token": "mine"}}},
        ],
        "Delete": [{"upstream": "$upstream"}],
        "Release": [{"upstream": "$upstream", "mandate": "$token"}],
    },
    "WorkloadIssuerService": {
        "Get": [{"workload_issuer": "$workload_issuer"}],
        "List": [{}],
        "Create": [{"workload_issuer": {"name": "new", "issuer": "https://n.example"}}],
        "Update": [{"workload_issuer": {"name": "$workload_issuer", "max_age_seconds": 60}}],
        "Delete": [{"workload_issuer": "$workload_issuer"}],
    },
    "ZoneService": {
        "Apply": [{"zone": {"applications": [{"name": "new"}]}}],
        "Get": [{}],
        "List": [{}],
        "Create": [{"zone": {}}],
        "Update": [{"zone": {"settings": {"max_hops": 1}}}],
        "Delete": [{}],
        "Freeze": [{}],
        "Unfreeze": [{}],
    },
}
"""What is asked of each method beside the zone; `$name` stands for a part of `Things`."""


def filled(template: Any, things: Things) -> Any:
    """A template with the things that it names."""
    if isinstance(template, Mapping):
        return {name: filled(value, things) for name, value in template.items()}
    if isinstance(template, list):
        return [filled(each, things) for each in template]
    if isinstance(template, str):
        known = asdict(things)
        return re.sub(r"\$(\w+)", lambda match: known[match[1]], template)
    return template


def request_to(path: str, zone: str, template: Template, things: Things, client: Any) -> Any:
    """The request of a case, about things in a zone, by `client` where it says who asks."""
    method = METHODS[path].input_type
    request = ParseDict(filled(template, things), GetMessageClass(method)())
    field = method.fields_by_name.get("zone")
    if field is not None and field.message_type is not None:
        request.zone.name = zone
    elif field is not None:
        request.zone = zone
    elif "query" in method.fields_by_name:
        request.query.zone = zone
    if path == EXCHANGE and not request.client.application_id:
        request.client.CopyFrom(client)
    return request


def mall() -> dict[str, Any]:
    """The zone of who tries: an agent with every scope of the authority."""
    zone = shop(name="mall")
    grant = {"application": "agent", "resource": CARACAL, "scopes": list(AUTHORITY_SCOPES)}
    zone["policy"]["grants"].append(grant)
    return zone


def target() -> dict[str, Any]:
    """The other zone, with things that only it has."""
    zone = shop(
        issuers=[{"name": "corp", "issuer": "https://corp.example", "audience": "shop"}],
        proof_systems=[{"name": "seal", "issuer": "https://seal.example", "audience": "shop"}],
        workload_issuers=[{"name": "cluster", "issuer": "https://k8s.example"}],
    )
    zone["applications"].append({"name": "keeper"})
    zone["resources"].append({"name": "resource://vault", "scopes": ["vault:open"]})
    return zone
