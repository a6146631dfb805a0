"""The life of mandates on the client, as state: no I/O, no clock, no randomness of its own.

Life is measured from receipt, on the monotonic clock: a wrong wall clock changes nothing. A mandate
is renewed at 80 % of its life and serves until its end while that has not succeeded.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import grpc

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.status import Status, read_refusal

if TYPE_CHECKING:
    from caracal_grpc.v1.audit_pb2 import Receipt

RENEW_AT: Final = 0.80
JITTER: Final = 0.05
"""A fleet that started together renews spread over this share of a life, either way."""

MAX_TOKENS: Final = 1024
FAILURE_PAUSE: Final = 0.5
"""Seconds in which a failed exchange is answered again without asking the authority."""

MAX_PAUSE: Final = 30.0
"""A no is asked about again after twice the pause of before, up to this: a session that was revoked
never comes back, and a policy may."""

PASSING: Final = frozenset(
    {
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.UNKNOWN,
    }
)
"""Codes of what may be over at any moment. The others are a no."""

_RENEWAL_PAUSE: Final = 0.02
"""A failed renewal is tried again after this share of the life: there is no hurry yet."""

DROP_PAUSE: Final = 1.0
"""Seconds between two refused mandates of a key that are replaced: a server that refuses whatever
it is sent must not turn every call into an exchange."""


class Key(NamedTuple):
    """What makes two askings the same: a digest of the subject's token, never the token."""

    resource: str
    scopes: frozenset[str]
    subject: bytes | None
    session: str | None
    ttl: int | None
    binding: str | None = None
    any_scopes: tuple[str, ...] = ()
    single_use: bool = False
    generation: int = 0
    approval: str | None = None
    request_id: str | None = None
    actor: bytes | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """A mandate wanted: for exactly these scopes on one resource.

    `subject_token` is the mandate on whose behalf; `session` the session to act in, `generation`
    that of its lease; `ttl` the life asked for, in seconds; `binding` the thumbprint of the
    certificate that it is to be bound to. With `any_scopes`, one of them besides, the first that is
    granted. A mandate of `single_use` is for one call: it is neither kept nor shared with others
    that ask for the same. `approval` releases what policy held; `request_id` makes it repeatable;
    `actor_token` is a mandate of this application, whose session is the one to act in. With
    `receipt`, the proof of the decision is asked for, too.
    """

    resource: str
    scopes: frozenset[str]
    subject_token: str | None = field(default=None, repr=False)
    session: str | None = None
    ttl: int | None = None
    binding: str | None = None
    any_scopes: tuple[str, ...] = ()
    single_use: bool = False
    generation: int = 0
    approval: str | None = None
    request_id: str | None = None
    actor_token: str | None = field(default=None, repr=False)
    receipt: bool = False

    @property
    def key(self) -> Key:
        """The identity of this asking. Of single use every one has a request id of its own, if it
        has any, and what is known of one holds of the next.
        """
        return Key(
            self.resource,
            self.scopes,
            _digest(self.subject_token),
            self.session,
            self.ttl,
            self.binding,
            self.any_scopes,
            self.single_use,
            self.generation,
            self.approval,
            None if self.single_use else self.request_id,
            _digest(self.actor_token),
        )

    @property
    def served(self) -> tuple[Key, ...]:
        """All that a mandate for this asking will do for: an approval by hand goes for calls."""
        if self.approval is None:
            return (self.key,)
        return (self.key, replace(self, approval=None, request_id=None).key)

    @property
    def flight(self) -> Hashable:
        """What makes one exchange do for two askings at a time: never for those of single use."""
        return object() if self.single_use else self.key


def _digest(token: str | None) -> bytes | None:
    return None if token is None else hashlib.sha256(token.encode()).digest()


class Granted(NamedTuple):
    """The answer of the authority: a mandate and its life from receipt, in seconds.

    One that `renews` is replaced ahead of its end. One that took an approval, or a request id, is
    not: it is asked for anew when a call needs it. `receipt` is there when it was asked for.
    """

    token: str
    expires_in: float
    renews: bool = True
    receipt: Receipt | None = None


class ExchangeError(Exception):
    """No mandate: the status with which the exchange ended, for whoever made the call.

    `ask` is what was asked for then, when that was one of several choices.
    """

    def __init__(self, status: Status, ask: Ask | None = None) -> None:
        super().__init__(f"{status.code.name}: {status.details}")
        self.status = status
        self.ask = ask

    @property
    def refusal(self) -> CaracalError | None:
        """The refusal in the status, if there is one."""
        return read_refusal(self.status.trailing_metadata)


class Look(NamedTuple):
    """What the book holds: a mandate that may be used, and whether one is to be asked for.

    `failure` is why there is none, while it is too early to ask again.
    """

    token: str | None
    due: bool
    failure: Status | None = None


@dataclass(frozen=True, slots=True)
class _Entry:
    """Times are monotonic seconds. Before `due_at` nobody asks."""

    token: str | None = field(default=None, repr=False)
    dead_at: float = 0.0
    due_at: float = 0.0
    life: float = 0.0
    failure: Status | None = None
    denials: int = 0
    dropped_at: float | None = None


_NOTHING: Final = Look(None, due=True)


class TokenBook:
    """The mandates of one process, the least recently used forgotten beyond `size`.

    Not locked: the driver calls it from one loop or under its own lock. `random` gives numbers
    from 0 to 1.
    """

    def __init__(self, random: Callable[[], float], *, size: int = MAX_TOKENS) -> None:
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._random = random
        self._size = size
        self._limited: Status | None = None
        self._limited_until = 0.0

    def __len__(self) -> int:
        return len(self._entries)

    def look(self, key: Key, now: float) -> Look:
        """What there is for `key` at `now`.

        A rate limit is of the whole application, so that none of its keys is asked for meanwhile.
        """
        look = self._look(key, now)
        if look.due and now < self._limited_until:
            return Look(look.token, due=False, failure=None if look.token else self._limited)
        return look

    def _look(self, key: Key, now: float) -> Look:
        entry = self._entries.get(key)
        if entry is None:
            return _NOTHING
        self._entries.move_to_end(key)
        due = now >= entry.due_at
        if entry.token is not None and now < entry.dead_at:
            return Look(entry.token, due)
        return _NOTHING if due else Look(None, due=False, failure=entry.failure)

    def store(self, key: Key, granted: Granted, now: float) -> None:
        """Keeps what was received at `now`, but for a mandate of single use."""
        if key.single_use:
            self._entries.pop(key, None)  # a failure before it is over
            return
        life = granted.expires_in
        share = RENEW_AT + JITTER * (2 * self._random() - 1) if granted.renews else 1.0
        old = self._entries.get(key)
        dropped_at = old.dropped_at if old else None
        self._put(
            key,
            _Entry(granted.token, now + life, now + life * share, life, dropped_at=dropped_at),
        )

    def fail(self, key: Key, failure: Status, now: float) -> None:
        """Keeps `failure` for a moment, a no for longer each time; as long as it asks, if it does.

        A mandate that is still alive goes on serving, and its renewal waits a share of its life.
        """
        if _is_rate_limit(failure):
            pause = min(max(_wait(failure), FAILURE_PAUSE), MAX_PAUSE)
            self._limited, self._limited_until = failure, now + pause
        old = self._entries.get(key) or _Entry()
        alive = old.token is not None and now < old.dead_at
        denials = 0 if failure.code in PASSING else old.denials + 1
        wait, pause = _wait(failure), _pause(denials)
        pause = min(max(wait, pause, old.life * _RENEWAL_PAUSE if alive else 0.0), MAX_PAUSE)
        due_at = now + pause if wait > FAILURE_PAUSE or not alive else min(now + pause, old.dead_at)
        token = old.token if alive else None
        entry = replace(old, token=token, due_at=due_at, failure=failure, denials=denials)
        self._put(key, entry)

    def drop(self, key: Key, token: str, now: float) -> bool:
        """Forgets `token`, which a server refused; whether asking again is worth it.

        It is when another mandate has taken its place meanwhile, and not when one was dropped for
        the same `key` less than `DROP_PAUSE` ago.
        """
        entry = self._entries.get(key)
        if entry is None or entry.token != token:
            return True
        if entry.dropped_at is not None and now - entry.dropped_at < DROP_PAUSE:
            return False
        self._put(key, _Entry(dropped_at=now))
        return True

    def _put(self, key: Key, entry: _Entry) -> None:
        self._entries[key] = entry
        self._entries.move_to_end(key)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)


def _is_rate_limit(failure: Status) -> bool:
    refusal = read_refusal(failure.trailing_metadata)
    return refusal is not None and refusal.reason is Reason.RATE_LIMITED


def _wait(failure: Status) -> float:
    """Seconds that the authority asks to wait; zero when it does not."""
    refusal = read_refusal(failure.trailing_metadata)
    return (refusal.retry_after if refusal else None) or 0.0


def _pause(denials: int) -> float:
    """Seconds to the next exchange after so many denials in a row."""
    pause: float = FAILURE_PAUSE * 2 ** min(max(denials - 1, 0), 8)
    return min(pause, MAX_PAUSE)
