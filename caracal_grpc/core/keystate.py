"""The life of a zone's signing keys, computed from times alone.

A key is published, then signs, then only verifies, then is gone. No process has to flip a state, so
replicas agree without electing anyone, and a restart changes nothing. A key may be ended before its
time; then it is retired for good, and so is whatever it had taken over from.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import LEEWAY, MAX_LIVE_KEYS, MAX_SESSION_TTL
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.zone import Zone

_AFTERLIFE: Final = MAX_SESSION_TTL + 2 * LEEWAY
"""How long a key verifies after it stopped signing: what it signed last has ended then."""


class KeyState(StrEnum):
    """Where a key is in its life."""

    PENDING = "pending"
    ACTIVE = "active"
    RETIRING = "retiring"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class KeyTimes:
    """The times of one key, in seconds since the Unix epoch.

    `ended_at` is when it was ended before its time, retired by hand or compromised.
    """

    kid: str
    created_at: float
    activates_at: float
    ended_at: float | None = None
    compromised: bool = False

    @property
    def has_begun(self) -> bool:
        """Whether it ever signs: one that is ended while it is pending never does."""
        return self.ended_at is None or self.activates_at <= self.ended_at


def publication(zone: Zone, now: float) -> float:
    """Seconds from `now`, when a key is published, until it signs.

    As long as the slowest consumer that is documented needs to learn of it. One on the feed knows
    within its bound of staleness or refuses everything, which is what `key_publish` stands for. One
    that keeps a copy of the key set for `jwks_max_age`, or for the longer one that the zone had
    before, may have read it right before the key came, and its clock may be off by a leeway.
    """
    copies = max(zone.jwks_max_age, zone.copied_until - now)
    return max(zone.key_publish, copies + LEEWAY if copies > 0 else 0)


def copy_life(zone: Zone, keys: Sequence[KeyTimes], age: float, now: float) -> int:
    """Whole seconds that a copy of the key set may be kept which is made at `now`; 0 for none.

    No longer than the zone promises, since a key that comes the moment after signs that much later,
    and not past the end of a key that is in it. What it is made of is `age` seconds old itself.
    """
    ends = next_change(keys, now)
    life = min(zone.jwks_max_age - age, ends - now if ends else math.inf)
    return max(0, math.floor(life))


def replaced_at_once(compromised: KeyTimes, now: float) -> float:
    """When the successor of a compromised key begins to sign, so that it does at every replica.

    Clocks of replicas may differ by two leeways, hence that much before `now`, yet not before the
    key that it replaces, whose successor it is.
    """
    return max(now - 2 * LEEWAY, compromised.activates_at)


def retire_times(keys: Iterable[KeyTimes]) -> dict[str, float | None]:
    """When each key stops signing: when its successor begins, or it is ended; else `None`.

    The successor of a key stays that when it is ended itself: nothing brings back what is retired.
    """
    line = sorted((key for key in keys if key.has_begun), key=order)
    following = [key.activates_at for key in line[1:]]
    stops = zip(line, [*following, None], strict=False)
    return {key.kid: _sooner(at, key.ended_at) for key, at in stops}


def _sooner(one: float | None, other: float | None) -> float | None:
    return min((at for at in (one, other) if at is not None), default=None)


def states(keys: Sequence[KeyTimes], now: float) -> dict[str, KeyState]:
    """The state of each key at `now`. An ended one is retired, whatever its times say."""
    retires = retire_times(keys)
    return {
        key.kid: KeyState.RETIRED
        if key.ended_at is not None
        else _state(key, retires[key.kid], now)
        for key in keys
    }


def _state(key: KeyTimes, retires_at: float | None, now: float) -> KeyState:
    if now < key.activates_at:
        return KeyState.PENDING
    if retires_at is None or now < retires_at:
        return KeyState.ACTIVE
    if now < retires_at + _AFTERLIFE:
        return KeyState.RETIRING
    return KeyState.RETIRED


def signer(keys: Sequence[KeyTimes], now: float) -> str | None:
    """The `kid` that signs at `now`, the active one; `None` when none does."""
    active = (kid for kid, state in states(keys, now).items() if state is KeyState.ACTIVE)
    return next(active, None)


def verifying(keys: Sequence[KeyTimes], now: float) -> frozenset[str]:
    """The kids that a verifier must know at `now`: all but the retired."""
    return frozenset(kid for kid, at in states(keys, now).items() if at is not KeyState.RETIRED)


def is_due(keys: Sequence[KeyTimes], rotate_after: float, now: float) -> bool:
    """Whether the key that signs is `rotate_after` seconds old and nothing is to follow it yet.

    Or none signs, as when the one that a backup brought back was compromised since. Age counts from
    when it began to sign. A key that begins in the future, as after a rotation by a
    clock that was ahead, is one to follow: by whatever clock, a rotation is not done twice.
    """
    found = states(keys, now)
    if not keys or KeyState.PENDING in found.values():
        return False
    begun = [key for key in keys if found[key.kid] is KeyState.ACTIVE]
    return not begun or any(now - key.activates_at >= rotate_after for key in begun)


def require_rotatable(keys: Sequence[KeyTimes], now: float) -> None:
    """Raises `KEY_STATE_CONFLICT`, saying how long to wait, while a key is pending.

    The same while so many keys verify that another would be more than an edge holds.
    """
    for kid, state in states(keys, now).items():
        if state is KeyState.PENDING:
            wait = next(key.activates_at for key in keys if key.kid == kid) - now
            text = "a key is pending already; rotate again when it signs"
            raise _conflict(kid, text, wait)
    if len(verifying(keys, now)) >= MAX_LIVE_KEYS:
        raise _conflict(
            max(keys, key=order).kid,
            "the zone has too many keys that still verify; rotate again when one has retired",
            (next_change(keys, now) or now) - now,
        )


def require_retirable(keys: Sequence[KeyTimes], kid: str, floor: float, now: float) -> None:
    """Raises `KEY_STATE_CONFLICT` unless nothing that the key `kid` signed may be alive.

    What was issued before `floor`, a time too, is dead. Says how long to wait, but for the key that
    signs, for which there is nothing to wait for.
    """
    (key,) = (each for each in keys if each.kid == kid)
    state, stops = states(keys, now)[kid], retire_times(keys).get(kid)
    if state is KeyState.PENDING and key.activates_at - now <= 2 * LEEWAY:
        text = "the key may sign already where a clock is ahead; wait, or compromise it"
        raise _conflict(kid, text, key.activates_at + _AFTERLIFE - now)
    if state is KeyState.ACTIVE:
        raise _conflict(kid, "the key signs now; rotate first, or compromise it", None)
    if state is KeyState.RETIRING and stops is not None and floor <= stops + 2 * LEEWAY:
        text = "mandates of the key may be alive; wait, or compromise it"
        raise _conflict(kid, text, stops + _AFTERLIFE - now)


def next_change(keys: Sequence[KeyTimes], now: float) -> float | None:
    """When the set of verifying keys changes by time alone, `None` when it does not."""
    retires: Mapping[str, float | None] = retire_times(keys)
    alive = (retires[key.kid] for key in keys if key.ended_at is None)
    ends = (at + _AFTERLIFE for at in alive if at is not None)
    return min((end for end in ends if end > now), default=None)


def order(key: KeyTimes) -> tuple[float, bool, str]:
    """What sorts keys by when they begin, oldest first.

    Of those that begin at once, as one that is replaced and its successor, the live one is last.
    """
    return key.activates_at, key.ended_at is None, key.kid


def _conflict(kid: str, text: str, wait: float | None) -> CaracalError:
    metadata = {"key": kid}
    return CaracalError(Reason.KEY_STATE_CONFLICT, text, metadata=metadata, retry_after=wait)
