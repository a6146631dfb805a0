"""Requests that are repeatable across replicas and restarts: what each was answered, in the store.

A mandate for a repeatable request is held before it is recorded and handed out: one write decides
which answer of all replicas counts, together with what else must hold with it, such as the use of
an approval. After a crash at any point the same request finds what is held, and gets it.

Ledgers are one a replica, so the entry is in that of the replica that decided, unless this crashed
in between. So whoever answers from what is held first appends the same entry, under the same id, to
its own ledger, unless that has it: no replica ever hands out a mandate that its ledger lacks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from caracal_grpc.authority.exchange.case import Case, Issued
from caracal_grpc.authority.exchange.minter import Minter
from caracal_grpc.authority.exchange.replay import request_conflict
from caracal_grpc.authority.state.floor import issued_before
from caracal_grpc.authority.state.places import request_place
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.entry import Entry
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import REQUEST_WINDOW
from caracal_grpc.core.mandate import Mandate, from_claims, to_claims
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.verdict import death
from caracal_grpc.store.port import Change, Expect, Key, Put, Record, Store

_ATTEMPTS: Final = 8


@dataclass(frozen=True, slots=True)
class Grant:
    """A mandate, its entry, and the `changes` that must hold with it, made only if `expects` do."""

    issued: Issued
    entry: Entry
    changes: tuple[Change, ...] = ()
    expects: tuple[Expect, ...] = ()


Decide = Callable[[], Awaitable[Grant]]
"""Decides a case as things are now; asked again when an expectation of its grant did not hold, so
it reads what it expects from the store itself, never from a mirror that may lag."""


class Requests:
    """Holds grants in the store, each under the request that it answers."""

    def __init__(
        self, store: Store, state: State, minter: Minter, recorder: Recorder, clock: Clock
    ) -> None:
        self._store = store
        self._state = state
        self._minter = minter
        self._recorder = recorder
        self._clock = clock

    def is_alive(self, mandate: Mandate) -> bool:
        """Whether the mandate may be handed out: neither at its end nor revoked."""
        expired = mandate.expires_at <= self._clock.now()
        floor = issued_before(self._state, mandate.zone)
        return not expired and not death(mandate, floor, self._state.dead(mandate.zone))

    async def held(self, case: Case, decide: Decide) -> Grant:
        """What the request is granted, held in the store; it is not recorded yet.

        `decide` comes first, since most requests are new; but where it would hold the request anew,
        after an approval that was used already, what is held comes first. What it refuses is
        refused only when nothing is held: the request may have used up itself what it stood on.

        Raises what `decide` raises; `CONFLICT` for a request id that was used for another request;
        `STORE_UNAVAILABLE`, also when others keep winning, after which a grant may be held all the
        same, though under another audit id than the case then has.
        """
        seen = await self._found(case) if case.request.approval else None
        earlier = self._earlier(case, seen)
        if earlier is not None:
            return earlier
        for _ in range(_ATTEMPTS):
            try:
                grant = await decide()
            except CaracalError:
                earlier = self._earlier(case, await self._found(case))
                if earlier is None:
                    raise
                return earlier
            if await self._holds(case, grant, seen):
                return grant
            seen = await self._found(case)
            earlier = self._earlier(case, seen)
            if earlier is not None:
                return earlier
        raise CaracalError(
            Reason.STORE_UNAVAILABLE,
            "others keep changing what the request needs; try again",
            retry_after=0.1,
        )

    async def _holds(self, case: Case, grant: Grant, seen: Record | None) -> bool:
        """Whether all that the grant needs is written, in the place of `seen`; all or nothing."""
        changes, expects = grant.changes, grant.expects
        if case.request.request_id:
            put, expect = self._kept(case, grant, seen)
            changes, expects = (*changes, put), (*expects, expect)
        if not changes:
            return True
        try:
            await self._store.commit(changes, expects)
        except CaracalError as error:
            # It may be held under this id, so whatever comes next is recorded under another.
            case.audit_id = self._recorder.new_id()
            if error.reason is Reason.CONFLICT:
                return False
            raise
        return True

    def _kept(self, case: Case, grant: Grant, seen: Record | None) -> tuple[Put, Expect]:
        """The write that keeps `grant` for its request, and what it expects: never the token."""
        place, mandate = _place(case), grant.issued.mandate
        value = {
            "request": case.digest().hex(),
            "until": self._clock.now() + REQUEST_WINDOW,
            "kid": mandate.kid,
            "claims": to_claims(mandate),
            "entry": grant.entry.to_event(),
        }
        expect = Expect(place, seen.revision if seen else 0)
        return Put(place, value, ttl=REQUEST_WINDOW), expect

    async def _found(self, case: Case) -> Record | None:
        return await self._store.get(_place(case)) if case.request.request_id else None

    def _earlier(self, case: Case, found: Record | None) -> Grant | None:
        """What the request was granted, if that is still good; raises `CONFLICT` for another's.

        The same claims are signed again by the same key. ECDSA takes fresh randomness each time, so
        the signature may differ from the first; the mandate, which goes by its id, is the same.
        """
        if found is None or found.value["until"] <= self._clock.now():
            return None  # the store keeps it for longer than its window
        value = found.value
        if value["request"] != case.digest().hex():
            raise request_conflict()
        mandate = from_claims(value["claims"], value["kid"])
        issued = self._minter.sign(mandate) if self.is_alive(mandate) else None
        return Grant(issued, Entry.from_event(value["entry"])) if issued else None


def _place(case: Case) -> Key:
    request = case.request
    name = f"{request.application}/{request.request_id}"
    return request_place(request.zone, hashlib.sha256(name.encode()).hexdigest())
