"""The life of a zone's signing keys, computed from times alone.

A key is published, then signs, then only verifies, then is gone. No process has to flip a state, so
replicas agree without electing anyone, and a restart changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import LEEWAY, MAX_LIVE_KEYS, MAX_SESSION_TTL
from caracal_grpc.core.reason import Reason


class KeyState(StrEnum):
    """Where a key is in its life."""

    PENDING = "pending"
    ACTIVE = "active"
    RETIRING = "retiring"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class KeyTimes:
    """The times of one key, in seconds since the Unix epoch. A revoked key is retired at once."""

    kid: str
    created_at: float
    activates_at: float
    revoked: bool = False


def retire_times(keys: Iterable[KeyTimes]) -> dict[str, float | None]:
    """When each key stops signing: when its successor begins; `None` for the newest."""
    alive = sorted((key for key in keys if not key.revoked), key=_order)
    following = [key.activates_at for key in alive[1:]]
    return dict(zip((key.kid for key in alive), [*following, None], strict=False))


def states(keys: Sequence[KeyTimes], now: float) -> dict[str, KeyState]:
    """The state of each key at `now`."""
    retires = retire_times(keys)
    return {
        key.kid: KeyState.RETIRED if key.revoked else _state(key, retires[key.kid], now)
        for key in keys
    }


def _state(key: KeyTimes, retires_at: float | None, now: float) -> KeyState:
    if now < key.activates_at:
        return KeyState.PENDING
    if retires_at is None or now < retires_at:
        return KeyState.ACTIVE
    if now < retires_at + MAX_SESSION_TTL + 2 * LEEWAY:
        return KeyState.RETIRING
    return KeyState.RETIRED


def signer(keys: Iterable[KeyTimes], now: float) -> str | None:
    """The `kid` that signs at `now`, the active one; `None` when none does."""
    begun = [key for key in keys if not key.revoked and key.activates_at <= now]
    return max(begun, key=_order).kid if begun else None


def verifying(keys: Sequence[KeyTimes], now: float) -> frozenset[str]:
    """The kids that a verifier must know at `now`: all but the retired."""
    return frozenset(kid for kid, at in states(keys, now).items() if at is not KeyState.RETIRED)


def require_rotatable(keys: Sequence[KeyTimes], now: float) -> None:
    """Raises `KEY_STATE_CONFLICT`, saying how long to wait, while a key is pending.

    The same while so many keys verify that another would be more than an edge holds.
    """
    for kid, state in states(keys, now).items():
        if state is KeyState.PENDING:
            wait = next(key.activates_at for key in keys if key.kid == kid) - now
            raise CaracalError(
                Reason.KEY_STATE_CONFLICT,
                "a key is pending already; rotate again when it signs",
                metadata={"key": kid},
                retry_after=wait,
            )
    if len(verifying(keys, now)) >= MAX_LIVE_KEYS:
        raise CaracalError(
            Reason.KEY_STATE_CONFLICT,
            "the zone has too many keys that still verify; rotate again when one has retired",
            metadata={"key": max(keys, key=_order).kid},
            retry_after=(next_change(keys, now) or now) - now,
        )


def next_change(keys: Sequence[KeyTimes], now: float) -> float | None:
    """When the set of verifying keys changes by time alone, `None` when it does not."""
    retires: Mapping[str, float | None] = retire_times(keys)
    ends = (at + MAX_SESSION_TTL + 2 * LEEWAY for at in retires.values() if at is not None)
    return min((end for end in ends if end > now), default=None)


def _order(key: KeyTimes) -> tuple[float, str]:
    return key.activates_at, key.kid
