"""Formats of stored values, and what each older one becomes when it is read.

Every value carries the number of its format. A value is upgraded each time it is read, step by
step, and written in the present format when it is next changed: so replicas of this release start
on what the one before wrote, and need no time of migration. One of a later release cannot be read:
it may say what this one would overlook.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

VERSION: Final = 4

Value = dict[str, Any]


def current(kind: str, value: Value, version: int) -> Value:
    """The value of a record of `kind`, written in format `version`, in the present one."""
    for step in range(version, VERSION):
        upgrade = _UPGRADES[step].get(kind)
        value = upgrade(value) if upgrade else value
    return value


def _zone(value: Value) -> Value:
    """1 to 2: settings of key rotation and limits, and whether it is frozen."""
    return {
        **value,
        "frozen": False,
        "jwks_max_age": 0,
        "key_rotate": 30 * 86_400,
        "application_rate": 1_000,
        "application_burst": 2_000,
        "zone_rate": 5_000,
        "zone_burst": 10_000,
        "record_context": False,
    }


def _application(value: Value) -> Value:
    """1 to 2: any number of credentials in place of one secret; that one's id is its owner's."""
    kept = {name: each for name, each in value.items() if name != "secret_digest"}
    digest = value["secret_digest"]
    made = {"id": f"crd_{value['id'][4:]}", "digest": digest, "created_at": 0, "expires_at": 0}
    return {**kept, "credentials": [made] if digest else []}


def _policy(value: Value) -> Value:
    """1 to 2: the name of a version; one is made of what was here itself at the next start."""
    return {"active": "", "shadow": "", "activations": [], "before": [], "unversioned": value}


def _provable(value: Value) -> Value:
    """2 to 3: what an application authenticates by besides its secrets, which was nothing."""
    return {**value, "identities": [], "jwks": ""}


def _copied(value: Value) -> Value:
    """2 to 3: until when copies of the key set are kept that it lets nobody keep any more."""
    return {**value, "copied_until": 0}


def _retained(value: Value) -> Value:
    """3 to 4: after how many days its ledger is pruned, which it never was."""
    return {**value, "retention_days": 0}


_UPGRADES: Final[Mapping[int, Mapping[str, Callable[[Value], Value]]]] = MappingProxyType(
    {
        1: {"zones": _zone, "applications": _application, "policies": _policy},
        2: {"zones": _copied, "applications": _provable},
        3: {"zones": _retained},
    }
)
