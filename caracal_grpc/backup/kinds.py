"""What of the state a backup keeps, and what comes back of it; every kind is in one of two tables.

Whatever ran when the backup was taken has ended since, been revoked, or gone on without us. So
nothing that runs comes back, only what was declared, and what was ended for good stays ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from caracal_grpc.authority.revocation.anchors import SUBJECT_TTL
from caracal_grpc.authority.state import places
from caracal_grpc.core.limits import REVOCATION_TTL

Value = Mapping[str, Any]


def _every(_: Value) -> bool:
    return True


def _standing(session: Value) -> bool:
    return session["kind"] == "standing" and session["terminated_at"] is None


@dataclass(frozen=True, slots=True)
class Kept:
    """A kind that comes back: the records that `fits`, for `ttl` seconds from then on."""

    ttl: int | None = None
    fits: Callable[[Value], bool] = _every


KEPT: Final[Mapping[str, Kept]] = MappingProxyType(
    {
        places.ZONES: Kept(),
        places.APPLICATIONS: Kept(),
        places.RESOURCES: Kept(),
        places.POLICIES: Kept(),
        places.POLICY_VERSIONS: Kept(),
        places.POLICY_PARTS: Kept(),
        places.ISSUERS: Kept(),
        places.PROOF_SYSTEMS: Kept(),
        places.WORKLOAD_ISSUERS: Kept(),
        places.WEBHOOKS: Kept(),
        places.KEYS: Kept(),
        places.LEDGER_KEYS: Kept(),
        places.UPSTREAMS: Kept(),
        places.UPSTREAM_SECRETS: Kept(),
        places.APPLIES: Kept(),
        places.OWED: Kept(),
        places.SESSIONS: Kept(fits=_standing),
        places.REVOCATIONS: Kept(REVOCATION_TTL),
        places.SUBJECTS: Kept(SUBJECT_TTL),
    }
)

LEFT: Final[Mapping[str, str]] = MappingProxyType(
    {
        places.FLOORS: "every zone comes back with a floor of its own",
        places.SLOTS: "no session but the standing ones comes back",
        places.APPROVALS: "one that was used since could be used again",
        places.HELD: "they name approvals",
        places.ASSERTIONS: "what was shown before the floor counts no more",
        places.CONSUMED: "what was consumed is dead by the floor",
        places.REQUESTS: "what was answered is dead by the floor",
        places.DELIVERIES: "they name replicas",
        places.DUTIES: "they name replicas",
        places.REPLICAS: "replicas say by themselves that they run",
        places.WAITS: "who waited has gone",
        places.RESTORES: "the mark of a restore that goes on",
        places.POLICY_LOADS: "replicas say by themselves what they have loaded",
    }
)
"""Kinds that do not come back, and why."""
