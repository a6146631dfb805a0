"""From a token to a verdict: one path for the asyncio guard, the sync guard and the authority."""

from __future__ import annotations

import hashlib
from typing import Final

from caracal_grpc.core import verdict
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import DEFAULT_MAX_STALENESS, MAX_TOKEN_BYTES
from caracal_grpc.core.mandate import Mandate, Use
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Rule
from caracal_grpc.crypto import mandates
from caracal_grpc.crypto.key_set import KeySet
from caracal_grpc.interceptors.feed.view import View
from caracal_grpc.interceptors.guard.cache import Reading, ReadingCache
from caracal_grpc.interceptors.resource_field import EACH, resource_of

RETRY_AFTER: Final = 1.0
"""Seconds after which a caller whom a stale edge refused may come back: one heartbeat."""


class Verifier:
    """Judges tokens by what a `View` knows now. Safe between threads.

    `use` is what this edge accepts: `resource` at guards, `session` at the authority, where the
    audience is the issuer itself. `max_staleness` is in seconds.
    """

    __slots__ = ("_age", "_cache", "_max_staleness", "_now", "_use", "_view")

    def __init__(
        self,
        view: View,
        *,
        clock: Clock,
        use: Use = "resource",
        max_staleness: float = DEFAULT_MAX_STALENESS,
        cache: ReadingCache | None = None,
    ) -> None:
        self._view = view
        self._use = use
        self._age = view.age
        self._now = clock.now
        self._max_staleness = max_staleness
        self._cache = ReadingCache() if cache is None else cache

    @property
    def slack(self) -> float:
        """Seconds until the view is too old to judge by, unless the authority is heard again."""
        return self._max_staleness - self._age()

    @property
    def fresh(self) -> bool:
        """Whether the view is young enough, to judge calls by and to let streams go on.

        The age of a broken clock (NaN) is not.
        """
        return self._age() <= self._max_staleness

    @property
    def remembered(self) -> int:
        """How many tokens are remembered as well signed."""
        return len(self._cache)

    def verify(self, token: str, rule: Rule, binding: str | None = None) -> Mandate:
        """The mandate in `token` when it permits what `rule` asks for; raises the reason why not.

        That is a rule whose resource does not depend on the request.

        `binding` is the thumbprint of the caller's TLS certificate, `None` without one. Raises
        `AUTHORITY_STALE` when the view is too old to say.
        """
        reading = self.read(token)
        self.judge(reading, rule, binding)
        return reading.mandate

    def read(self, token: str) -> Reading:
        """The mandate in `token` when size, shape, key and signature hold, now or once before.

        Only successes are remembered, and never as a verdict: that is for `judge`, which also
        finds out when the key or the authority has gone since.
        """
        if len(token) > MAX_TOKEN_BYTES or not token.isascii():
            raise _unreadable()
        digest = hashlib.sha256(token.encode("ascii")).digest()
        now = self._now()
        reading = self._cache.get(digest, now)
        if reading is None:
            if not self.fresh:
                raise authority_stale()
            reading = _prove(token, self._view.keys)
            self._cache.put(digest, reading, now)
        return reading

    def judge(
        self, reading: Reading, rule: Rule, binding: str | None = None, request: object = None
    ) -> None:
        """Returns when the mandate permits what `rule` asks for at this moment.

        Nothing of it is remembered. `request` is looked at when it says which resource is asked
        for; `EACH` stands for a stream of them, of which `match` judges each. Raises
        `AUTHORITY_STALE`, `KEY_UNKNOWN` when the key is gone or another one has its name, and all
        that `core.verdict.judge` and `resource_of` raise.
        """
        view, mandate = self._view, reading.mandate
        if not self.fresh:
            raise authority_stale()
        trust, keys = view.trust(mandate.kid), view.keys
        if trust is None or not (keys is reading.keys or keys.get(mandate.kid) == reading.key):
            raise key_unknown(mandate.kid)
        audience, any_member = rule.resource, False
        if self._use != "resource":
            audience = trust.issuer
        elif rule.template is not None:
            any_member = request is EACH
            audience = rule.template.family if any_member else resource_of(rule, request)
        call = verdict.Call(self._use, audience, rule.scopes, self._now(), binding, any_member)
        more = rule if rule.asks_more else None
        verdict.judge(mandate, trust, call, view.dead(trust.zone), more)

    @staticmethod
    def match(mandate: Mandate, rule: Rule, message: object) -> None:
        """Returns when a message of a stream is about the resource of the stream's mandate.

        Raises `AUDIENCE_MISMATCH` when it is about another, and all that `resource_of` raises.
        """
        resource = resource_of(rule, message)
        if resource != mandate.resource:
            raise verdict.audience_mismatch(resource)


def _prove(token: str, keys: KeySet) -> Reading:
    mandate = mandates.read(token, keys)
    return Reading(mandate, keys[mandate.kid], keys)


def _unreadable() -> CaracalError:
    return CaracalError(
        Reason.MANDATE_MALFORMED,
        f"the mandate is not ascii text of at most {MAX_TOKEN_BYTES} bytes; exchange for a new one",
    )


def key_unknown(kid: str) -> CaracalError:
    """The refusal of a mandate whose key is not, or no longer, in the view (`KEY_UNKNOWN`)."""
    return CaracalError(
        Reason.KEY_UNKNOWN,
        "no key of the zone has the kid of the mandate; exchange for a new one",
        metadata={"kid": kid},
    )


def authority_stale() -> CaracalError:
    """The refusal of an edge that has not heard from the authority for too long."""
    return CaracalError(
        Reason.AUTHORITY_STALE,
        "the guard has not heard from the authority for too long; try again shortly",
        retry_after=RETRY_AFTER,
    )
