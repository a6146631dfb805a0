"""Entries as events of OCSF 1.8.0 (https://schema.ocsf.io/1.8.0), one event an entry.

| entry | class |
|---|---|
| an exchange that was granted | Authorize Session (3003), Assign Privileges |
| an application that could not prove itself; sessions | Authentication (3002), Logon or Logoff |
| delegations and revocations | User Access Management (3005), Assign or Revoke Privileges |
| whatever else was refused, what edges decided, changes of state | API Activity (6003) |
| an entry that was pruned | Base Event (0): there is nothing left to tell |

`metadata.uid` is the entry's stable id `aud_…` (of a pruned one its place), by which receivers drop
repeats; `unmapped` has what no attribute of OCSF is for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from caracal_grpc.core.reason import Reason
from caracal_grpc.shipping.record import Record

VERSION: Final = "1.8.0"

_PRODUCT: Final = {"name": "caracal-grpc", "vendor_name": "caracal-grpc"}
_IAM, _APPLICATION = 3, 6
_NAMES: Final = {
    0: "Base Event",
    3002: "Authentication",
    3003: "Authorize Session",
    3005: "User Access Management",
    6003: "API Activity",
}
_CATEGORIES: Final = {
    0: (0, "Uncategorized"),
    _IAM: (_IAM, "Identity & Access Management"),
    _APPLICATION: (_APPLICATION, "Application Activity"),
}


@dataclass(frozen=True, slots=True)
class _Kind:
    """A class of OCSF and an activity within it."""

    class_uid: int
    activity_id: int
    activity: str


_LOGON: Final = _Kind(3002, 1, "Logon")
_LOGOFF: Final = _Kind(3002, 2, "Logoff")
_GRANT: Final = _Kind(3003, 1, "Assign Privileges")
_ASSIGN: Final = _Kind(3005, 1, "Assign Privileges")
_REVOKE: Final = _Kind(3005, 2, "Revoke Privileges")
_NOTHING: Final = _Kind(0, 0, "Unknown")
_CALL: Final = _Kind(6003, 99, "Other")
_BY_TYPE: Final[Mapping[str, _Kind]] = {
    "session.start": _LOGON,
    "session.resume": _LOGON,
    "session.suspend": _LOGOFF,
    "delegation": _ASSIGN,
    "revocation": _REVOKE,
    "key.compromise": _REVOKE,
}
_BY_VERB: Final[Mapping[str, _Kind]] = {
    "create": _Kind(6003, 1, "Create"),
    "read": _Kind(6003, 2, "Read"),
    "update": _Kind(6003, 3, "Update"),
    "apply": _Kind(6003, 3, "Update"),
    "delete": _Kind(6003, 4, "Delete"),
}
"""What a change of state is, by the last part of its type."""

_MAPPED: Final = frozenset(
    {
        "v",
        "id",
        "zone",
        "index",
        "time_ms",
        "type",
        "decision",
        "reason",
        "application",
        "application_name",
        "subject",
        "subject_type",
        "resource",
        "granted_scopes",
        "session",
        "jti",
        "request_id",
        "policy_version",
        "expires_at",
        "peer",
        "personal",
    }
)
"""Members of events that have an attribute; the others go into `unmapped`."""


def ocsf(record: Record) -> dict[str, Any]:
    """The event of `record`; raises `ValueError` when its entry cannot be read."""
    if record.pruned:
        return {**_frame(record, _NOTHING), "message": "the entry was pruned by age"}
    event = record.event
    kind = _kind(event)
    told = {**_frame(record, kind), **_outcome(event), **_ATTRIBUTES[kind.class_uid](event)}
    if rest := {name: value for name, value in event.items() if name not in _MAPPED}:
        told["unmapped"] = rest
    return told


def _kind(event: Mapping[str, Any]) -> _Kind:
    of_type = str(event.get("type", ""))
    if of_type == "exchange":
        if event.get("reason") == Reason.CLIENT_AUTH_FAILED:
            return _LOGON
        return _GRANT if event.get("decision") == "allow" else _CALL
    known = _BY_TYPE.get(of_type)
    if known is not None and event.get("decision") != "deny":
        return known
    return _BY_VERB.get(of_type.rpartition(".")[2], _CALL)


def _frame(record: Record, kind: _Kind) -> dict[str, Any]:
    """What every event has."""
    category, name = _CATEGORIES[kind.class_uid // 1000]
    return {
        "category_uid": category,
        "category_name": name,
        "class_uid": kind.class_uid,
        "class_name": _NAMES[kind.class_uid],
        "activity_id": kind.activity_id,
        "activity_name": kind.activity,
        "type_uid": kind.class_uid * 100 + kind.activity_id,
        "type_name": f"{_NAMES[kind.class_uid]}: {kind.activity}",
        "severity_id": 1,
        "severity": "Informational",
        "time": record.time_ms,
        "metadata": _metadata(record),
    }


def _metadata(record: Record) -> dict[str, Any]:
    request = {} if record.pruned else _present(correlation_uid=record.event.get("request_id"))
    flags = {"erased": record.erased, "pruned": record.pruned}
    labels = [name for name, is_so in flags.items() if is_so]
    kind = {} if record.pruned else _present(event_code=record.event.get("type"))
    return {
        "version": VERSION,
        "product": _PRODUCT,
        "uid": record.id or record.key,
        "tenant_uid": record.zone,
        "sequence": record.index,
        "log_name": "ledger",
        **kind,
        **request,
        **_present(labels=labels),
    }


def _outcome(event: Mapping[str, Any]) -> dict[str, Any]:
    refused = event.get("decision") == "deny"
    told: dict[str, Any] = {"status_id": 2 if refused else 1}
    told["status"] = "Failure" if refused else "Success"
    if refused:
        told |= {"severity_id": 2, "severity": "Low"}
    return told | _present(status_code=event.get("reason"))


def _api_activity(event: Mapping[str, Any]) -> dict[str, Any]:
    details = event.get("details", {})
    operation = details.get("method") or event.get("type", "")
    return {
        "actor": _actor(event),
        "api": {"operation": operation, **_request(event)},
        "src_endpoint": _endpoint(event),
        **_present(resources=_resources(event)),
    }


def _authentication(event: Mapping[str, Any]) -> dict[str, Any]:
    service = {"name": event.get("resource") or f"zone {event['zone']}"}
    return {
        "user": _user(event),
        "service": service,
        "actor": _actor(event),
        "src_endpoint": _endpoint(event),
        **_session(event),
    }


def _authorize_session(event: Mapping[str, Any]) -> dict[str, Any]:
    resource = event.get("resource", "")
    return {
        "user": _user(event),
        "privileges": [f"{resource} {scope}" for scope in event.get("granted_scopes", ())],
        "actor": _actor(event),
        "src_endpoint": _endpoint(event),
        **_session(event),
    }


def _user_access(event: Mapping[str, Any]) -> dict[str, Any]:
    details = event.get("details", {})
    named = details.get("anchor") or details.get("delegation") or details.get("key")
    what = f"{event['type']} {named}" if named else str(event["type"])
    return {
        "user": {"uid": str(named)} if named else _user(event),
        "privileges": [what],
        "actor": _actor(event),
        "src_endpoint": _endpoint(event),
    }


def _nothing(_: Mapping[str, Any]) -> dict[str, Any]:
    return {}


_ATTRIBUTES: Final = {
    0: _nothing,
    3002: _authentication,
    3003: _authorize_session,
    3005: _user_access,
    6003: _api_activity,
}
"""What the events of a class have of their own."""


def _actor(event: Mapping[str, Any]) -> dict[str, Any]:
    """Who acted: the application, and the user whom it acted for."""
    uid = event.get("application") or "caracal-grpc"
    told: dict[str, Any] = {"app_uid": uid, "app_name": event.get("application_name") or uid}
    if event.get("subject"):
        told["user"] = _user(event)
    decided = {
        "decision": event.get("decision"),
        "policy": {"uid": event.get("policy_version"), "name": "caracal.authz"},
    }
    if event.get("policy_version") and event.get("type") == "exchange":
        told["authorizations"] = [decided]
    return told | _session(event)


def _user(event: Mapping[str, Any]) -> dict[str, Any]:
    """On whose behalf; the application itself when for nobody else, or when that was erased."""
    uid = event.get("subject") or event.get("application") or "unknown"
    is_user = event.get("subject_type") == "user"
    return {"uid": uid, "type_id": 1 if is_user else 99, "type": "User" if is_user else "Other"}


def _session(event: Mapping[str, Any]) -> dict[str, Any]:
    if not event.get("session"):
        return {}
    ends = event.get("expires_at")
    ended = _present(expiration_time=ends * 1000 if ends else None)
    credential = _present(credential_uid=event.get("jti"))
    return {"session": {"uid": event["session"], **credential, **ended}}


def _request(event: Mapping[str, Any]) -> dict[str, Any]:
    uid = event.get("request_id") or event.get("id")
    return {"request": {"uid": uid}} if uid else {}


def _resources(event: Mapping[str, Any]) -> list[dict[str, Any]]:
    name = event.get("resource")
    return [{"name": name, "type": "resource"}] if name else []


def _endpoint(event: Mapping[str, Any]) -> dict[str, Any]:
    """From where, as far as it is known: `ipv4:192.0.2.1:5000` or `ipv6:[2001:db8::1]:5000`."""
    family, _, address = str(event.get("peer", "")).partition(":")
    host, _, port = address.rpartition(":")
    if family not in {"ipv4", "ipv6"} or not host:
        return {"svc_name": event.get("application_name") or event.get("application") or "unknown"}
    told: dict[str, Any] = {"ip": host.strip("[]").replace("%5B", "").replace("%5D", "")}
    return told | ({"port": int(port)} if port.isdecimal() else {})


def _present(**values: Any) -> dict[str, Any]:
    """Those that there are."""
    return {name: value for name, value in values.items() if value}
