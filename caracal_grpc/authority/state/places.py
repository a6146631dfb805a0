"""Where each kind of object lives in the store."""

from __future__ import annotations

from typing import Final

from caracal_grpc.store.port import Key

ZONES: Final = "zones"
APPLICATIONS: Final = "applications"
RESOURCES: Final = "resources"
POLICIES: Final = "policies"
SESSIONS: Final = "sessions"
KEYS: Final = "keys"
LEDGER_KEYS: Final = "ledger-keys"
REVOCATIONS: Final = "revocations"
APPLIES: Final = "applies"
CONSUMED: Final = "consumed"

UNMIRRORED: Final = frozenset({CONSUMED})
"""Kinds that only the store itself is asked for: no replica holds them, however many there are."""

ACTIVE: Final = "active"
"""The id of the one policy and the one ledger key of a zone."""
UNFINISHED: Final = "unfinished"


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


def unfinished_place(zone: str) -> Key:
    """The apply that is begun and not answered, if there is one."""
    return Key(zone, APPLIES, UNFINISHED)


def policy_place(zone: str) -> Key:
    """The active policy."""
    return Key(zone, POLICIES, ACTIVE)


def session_place(zone: str, session: str) -> Key:
    """A session by its id."""
    return Key(zone, SESSIONS, session)


def key_place(zone: str, kid: str) -> Key:
    """A signing key by its id."""
    return Key(zone, KEYS, kid)


def ledger_key_place(zone: str) -> Key:
    """The key that signs the checkpoints of the zone's ledger."""
    return Key(zone, LEDGER_KEYS, ACTIVE)


def revocation_place(zone: str, anchor: str) -> Key:
    """The revocation of an anchor."""
    return Key(zone, REVOCATIONS, anchor)


def consumed_place(zone: str, jti: str) -> Key:
    """The one use of a mandate."""
    return Key(zone, CONSUMED, jti)
