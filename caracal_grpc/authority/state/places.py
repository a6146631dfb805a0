"""Where each kind of object lives in the store."""

from __future__ import annotations

from typing import Final

from caracal_grpc.core.limits import AUTHORITY_ZONE
from caracal_grpc.store.port import Key

ZONES: Final = "zones"
APPLICATIONS: Final = "applications"
RESOURCES: Final = "resources"
POLICIES: Final = "policies"
POLICY_VERSIONS: Final = "policy-versions"
POLICY_PARTS: Final = "policy-parts"
POLICY_LOADS: Final = "policy-loads"
SESSIONS: Final = "sessions"
KEYS: Final = "keys"
LEDGER_KEYS: Final = "ledger-keys"
REVOCATIONS: Final = "revocations"
APPLIES: Final = "applies"
CONSUMED: Final = "consumed"
ASSERTIONS: Final = "assertions"
REQUESTS: Final = "requests"
SUBJECTS: Final = "subjects"
SLOTS: Final = "slots"
ISSUERS: Final = "issuers"
PROOF_SYSTEMS: Final = "proof-systems"
WORKLOAD_ISSUERS: Final = "workload-issuers"
WEBHOOKS: Final = "webhooks"
DELIVERIES: Final = "deliveries"
DUTIES: Final = "duties"
APPROVALS: Final = "approvals"
HELD: Final = "held"
FLOORS: Final = "floors"
REPLICAS: Final = "replicas"
WAITS: Final = "waits"
UPSTREAMS: Final = "upstreams"
UPSTREAM_SECRETS: Final = "upstream-secrets"
OWED: Final = "owed"

DECLARED: Final = (
    ZONES,
    APPLICATIONS,
    RESOURCES,
    POLICIES,
    ISSUERS,
    PROOF_SYSTEMS,
    WORKLOAD_ISSUERS,
    WEBHOOKS,
)
"""Kinds that an apply writes."""

UNMIRRORED: Final = frozenset({ASSERTIONS, CONSUMED, POLICY_PARTS, REQUESTS})
"""Kinds that only the store itself is asked for: no replica holds them, however many there are."""

ACTIVE: Final = "active"
"""The id of what a zone has one of: its policy, its ledger key, its floor."""
RESTORES: Final = "restores"
UNFINISHED: Final = "unfinished"
ROTATION: Final = "rotation"
PRUNING: Final = "pruning"
TURN: Final = "turn"


def owed_place(audit_id: str) -> Key:
    """An entry that no ledger has yet, of whatever zone: a zone may go before it is recorded."""
    return Key(AUTHORITY_ZONE, OWED, audit_id)


def zone_place(zone: str) -> Key:
    """The zone itself."""
    return Key(zone, ZONES, zone)


def application_place(zone: str, application: str) -> Key:
    """An application by its id."""
    return Key(zone, APPLICATIONS, application)


def resource_place(zone: str, resource: str) -> Key:
    """A resource by its name."""
    return Key(zone, RESOURCES, resource_id(resource))


def resource_id(resource: str) -> str:
    """The id of a resource: a slash, which a key part may not hold, is written as a colon."""
    return resource.removeprefix("resource://").replace("/", ":")


def issuer_place(zone: str, name: str) -> Key:
    """An issuer of users by its name."""
    return Key(zone, ISSUERS, name)


def proof_system_place(zone: str, name: str) -> Key:
    """A proof system by its name."""
    return Key(zone, PROOF_SYSTEMS, name)


def workload_issuer_place(zone: str, name: str) -> Key:
    """A workload issuer by its name."""
    return Key(zone, WORKLOAD_ISSUERS, name)


def webhook_place(zone: str, name: str) -> Key:
    """A webhook by its name."""
    return Key(zone, WEBHOOKS, name)


def upstream_place(zone: str, name: str) -> Key:
    """The credential of an upstream by its name."""
    return Key(zone, UPSTREAMS, name)


def upstream_secret_place(zone: str, name: str, kind: str, secret: str) -> Key:
    """The sealed secret of such a credential by its id: each that it ever had is elsewhere."""
    return Key(zone, UPSTREAM_SECRETS, f"{name}.{kind}.{secret}")


def unfinished_place(zone: str) -> Key:
    """The apply that is begun and not answered, if there is one."""
    return Key(zone, APPLIES, UNFINISHED)


def turn_place(zone: str) -> Key:
    """The last change of what the zone declares."""
    return Key(zone, APPLIES, TURN)


def policy_place(zone: str) -> Key:
    """Which version of the policy decides."""
    return Key(zone, POLICIES, ACTIVE)


def policy_version_place(zone: str, version: str) -> Key:
    """What a version of the policy is, less its content."""
    return Key(zone, POLICY_VERSIONS, version)


def policy_part_place(zone: str, version: str, number: int) -> Key:
    """One of the parts, from 0, of the content of a version."""
    return Key(zone, POLICY_PARTS, f"{version}.{number}")


def policy_load_place(zone: str, replica: str) -> Key:
    """How far a replica is with the version that decides."""
    return Key(zone, POLICY_LOADS, replica)


def session_place(zone: str, session: str) -> Key:
    """A session by its id."""
    return Key(zone, SESSIONS, session)


def slot_place(zone: str, slot: str) -> Key:
    """One of the places for live sessions, `<owner>.<number>`."""
    return Key(zone, SLOTS, slot)


def key_place(zone: str, kid: str) -> Key:
    """A signing key by its id."""
    return Key(zone, KEYS, kid)


def ledger_key_place(zone: str) -> Key:
    """The key that signs the checkpoints of the zone's ledger."""
    return Key(zone, LEDGER_KEYS, ACTIVE)


def revocation_place(zone: str, anchor: str) -> Key:
    """The revocation of an anchor."""
    return Key(zone, REVOCATIONS, anchor)


def subject_place(zone: str, subject: str) -> Key:
    """When a user was revoked."""
    return Key(zone, SUBJECTS, subject)


def floor_place(zone: str) -> Key:
    """The moment before which every mandate of the zone is dead."""
    return Key(zone, FLOORS, ACTIVE)


def consumed_place(zone: str, jti: str) -> Key:
    """The one use of a mandate."""
    return Key(zone, CONSUMED, jti)


def assertion_place(zone: str, digest: str) -> Key:
    """That an assertion of an application's own key was shown."""
    return Key(zone, ASSERTIONS, digest)


def replica_place(replica: str) -> Key:
    """A replica of the authority that runs."""
    return Key(AUTHORITY_ZONE, REPLICAS, replica)


def duty_place(duty: str) -> Key:
    """Which replica does what one does for all zones."""
    return Key(AUTHORITY_ZONE, DUTIES, duty)


def wait_place(zone: str, wait: str) -> Key:
    """Somebody who waits until every edge of the zone is at a revision."""
    return Key(zone, WAITS, wait)


def told_place(wait: Key, replica: str) -> Key:
    """How far the edges of one replica are with what somebody waits for."""
    return Key(wait.zone, WAITS, f"{wait.id}.{replica}")


def approval_place(zone: str, approval: str) -> Key:
    """An approval by its id."""
    return Key(zone, APPROVALS, approval)


def held_place(zone: str, binding: str) -> Key:
    """The id of the newest approval of a binding."""
    return Key(zone, HELD, binding)


def request_place(zone: str, digest: str) -> Key:
    """What a repeatable request was answered."""
    return Key(zone, REQUESTS, digest)


def delivery_place(zone: str, webhook: str) -> Key:
    """Which replica tells a webhook."""
    return Key(zone, DELIVERIES, webhook)
