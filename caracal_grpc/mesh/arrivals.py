"""Mandates that came in a moment ago, so that what they cause on the way out can be told.

An application that hands on the mandate of its caller needs none of this, but for one that is bound
to a certificate: that its holder has shown the certificate is known on the way in only. For one
that hands on nothing but a trace or a request id, the mandate is found by that.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeVar

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.mandate import Mandate, to_claims
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.context.trace import TRACEPARENT, read_traceparent
from caracal_grpc.mesh.question import Question
from caracal_grpc.mesh.spoilt import Spoilt

Correlate = Literal["traceparent", "x-request-id"]
"""The header whose id a request on the way out has in common with the one that caused it."""

CORRELATIONS: Final[tuple[Correlate, ...]] = ("traceparent", "x-request-id")
MAX_IDS: Final = 65_536
MAX_MANDATES: Final = 4_096
DEFAULT_HOLD: Final = 60.0
"""Seconds after its arrival in which a request may cause others by its id."""

MAX_HOLD: Final = 600.0


@dataclass(frozen=True, slots=True)
class _Arrival:
    mandate: Mandate
    token: str = field(repr=False)
    until: float


@dataclass(frozen=True, slots=True)
class _Id:
    """What came under an id: the digest of a mandate, and what that is worth.

    Both are empty when it came under mandates of different worth, or without one, too.
    """

    digest: bytes
    worth: bytes
    until: float


_Key = TypeVar("_Key")
_Kept = TypeVar("_Kept", _Arrival, _Id)


class Arrivals:
    """What came in, for `hold` seconds and while its mandate lives; on one event loop.

    Callers choose their ids. When requests of different authority come under one id, or one that
    has none, nobody could say which of them caused what, and nothing is found under it any more
    until all are forgotten.
    Nothing is forgotten to make room: who could crowd an id out could take its place. What there
    is no room for is not found; ids that came without a mandate take none of it.
    """

    def __init__(
        self,
        clock: Clock,
        correlate: Correlate | None = None,
        *,
        hold: float = DEFAULT_HOLD,
        ids: int = MAX_IDS,
        mandates: int = MAX_MANDATES,
    ) -> None:
        """Raises `FIELD_INVALID` for what is no such header, or too long a time."""
        if correlate is not None and correlate not in CORRELATIONS:
            raise field_invalid("correlate", f"must be one of {', '.join(CORRELATIONS)}")
        if not 0 < hold <= MAX_HOLD:
            raise field_invalid("correlate_seconds", f"must be more than 0, up to {MAX_HOLD:g}")
        self.correlate = correlate
        self._clock = clock
        self._hold = hold
        self._most_ids = ids
        self._most_mandates = mandates
        self._by_id: OrderedDict[str, _Id] = OrderedDict()
        self._spoilt = Spoilt(hold)
        self._by_digest: OrderedDict[bytes, _Arrival] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_digest)

    @property
    def ids(self) -> int:
        """How many ids that came with a mandate are known."""
        return len(self._by_id)

    def note(self, question: Question, token: str, mandate: Mandate) -> None:
        """Remembers that a request which the way in let through had `token`."""
        correlation = self._id_of(question)
        if correlation is None and mandate.binding is None:
            return
        now, digest = self._clock.monotonic(), _digest(token)
        until = now + min(self._hold, mandate.expires_at - self._clock.now())
        arrival = _Arrival(mandate, token, until)
        _put(self._by_digest, digest, arrival, self._most_mandates, now)
        if correlation is not None:
            self._note_id(correlation, digest, _worth(mandate))

    def note_public(self, question: Question) -> None:
        """Remembers one that had to show nothing: what it causes has nobody's authority."""
        correlation = self._id_of(question)
        if correlation is not None:
            self._spoilt.add(correlation, self._clock.monotonic())

    def proven(self, token: str) -> str | None:
        """The thumbprint of the certificate that the holder of `token` showed when it came in by
        it; `None` when it did not, or that is forgotten.
        """
        arrival = self._alive(_digest(token))
        return None if arrival is None else arrival.mandate.binding

    def find(self, question: Question) -> str | None:
        """The token of the request that caused this one, by the id that both have.

        `None` when there is none. Raises `MANDATE_MISSING` when several came under that id.
        """
        correlation = self._id_of(question)
        if correlation is None:
            return None
        now, found = self._clock.monotonic(), self._by_id.get(correlation)
        if self._spoilt.has(correlation, now):
            raise _ambiguous(self.correlate or "")
        if found is None or found.until <= now:
            return None
        if not found.digest:
            raise _ambiguous(self.correlate or "")
        arrival = self._alive(found.digest)
        return None if arrival is None else arrival.token

    def _note_id(self, correlation: str, digest: bytes, worth: bytes) -> None:
        """However short the life of a mandate is, its id is not another's for the whole time."""
        now, known = self._clock.monotonic(), self._by_id.get(correlation)
        differs = known is not None and known.until > now and known.worth != worth
        if differs or self._spoilt.has(correlation, now):
            digest = worth = b""
        new = _Id(digest, worth, now + self._hold)
        _put(self._by_id, correlation, new, self._most_ids, now)

    def _alive(self, digest: bytes) -> _Arrival | None:
        arrival = self._by_digest.get(digest)
        if arrival is None or arrival.until <= self._clock.monotonic():
            return None
        return arrival

    def _id_of(self, question: Question) -> str | None:
        if self.correlate == "traceparent":
            trace = read_traceparent(question.headers.all(TRACEPARENT))
            return None if trace is None else trace.split("-")[1]
        return (question.request_id or None) if self.correlate == "x-request-id" else None


def _put(kept: OrderedDict[_Key, _Kept], key: _Key, value: _Kept, most: int, now: float) -> None:
    """Puts `value` last, if there is room, and lets go of what is over at the front."""
    kept.pop(key, None)
    while kept and next(iter(kept.values())).until <= now:
        kept.popitem(last=False)
    if len(kept) < most:
        kept[key] = value


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _worth(mandate: Mandate) -> bytes:
    """What tells a mandate from others but its own renewal: a digest of all that it says."""
    bare = replace(
        mandate, jti="", kid="", audit_id="", policy_version="", issued_at=0, expires_at=0
    )
    return hashlib.sha256(json.dumps(to_claims(bare), sort_keys=True).encode()).digest()


def _ambiguous(header: str) -> CaracalError:
    return CaracalError(
        Reason.MANDATE_MISSING,
        f"calls of different authority came in under the {header} of this one, so that nobody can "
        "say on whose behalf it is; hand on the authorization of the caller",
        metadata={"correlate": header},
    )
