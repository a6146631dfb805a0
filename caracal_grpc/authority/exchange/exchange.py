"""The exchange: the one function behind every mandate that is ever issued.

Authenticate the client, resolve the subject, load the lineage, check that it lives, narrow by every
ceiling, ask policy, cap, sign, hold, record, answer. The mandate leaves only when its entry is
durable, and when it is repeatable or uses something up, only when the store holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from caracal_grpc.authority.exchange.case import (
    Case,
    ExchangeRequest,
    Issued,
    required,
)
from caracal_grpc.authority.exchange.clients import Clients, proof_cause, tried
from caracal_grpc.authority.exchange.decider import Decider
from caracal_grpc.authority.exchange.minter import Minter
from caracal_grpc.authority.exchange.newcomers import Newcomers
from caracal_grpc.authority.exchange.rates import Rates
from caracal_grpc.authority.exchange.replay import Replay
from caracal_grpc.authority.exchange.requests import Grant, Requests
from caracal_grpc.authority.exchange.step_up import StepUp
from caracal_grpc.authority.state.aliases import Aliases
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.application import Application
from caracal_grpc.core.entry import Entry
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason


class Exchange:
    """Issues mandates; call `issue`. Each decision is offered to `offer` once it is recorded."""

    def __init__(
        self,
        state: State,
        clients: Clients,
        decider: Decider,
        minter: Minter,
        step_up: StepUp,
        requests: Requests,
        newcomers: Newcomers,
        aliases: Aliases,
        recorder: Recorder,
        clock: Clock,
        offer: Callable[[Entry], None],
    ) -> None:
        self._offer = offer
        self._state = state
        self._clients = clients
        self._decider = decider
        self._minter = minter
        self._step_up = step_up
        self._requests = requests
        self._newcomers = newcomers
        self._aliases = aliases
        self._recorder = recorder
        self._clock = clock
        self._replay: Replay[Issued] = Replay(clock)
        self._rates = Rates(clock)

    async def issue(self, request: ExchangeRequest) -> Issued:
        """The mandate that `request` is granted, recorded; raises the first reason why not.

        A refusal is recorded too, and carries the id of its entry as metadata `audit_id`; of those
        by the rate limits only some are.
        """
        case = await self._opened(request)
        if not request.request_id:
            return await self._decided(case)
        return await self._repeatable(case)

    def remaining(self, mandate: Mandate) -> int:
        """Whole seconds that the mandate has left, at least 0."""
        return max(0, int(mandate.expires_at - self._clock.now()))

    async def close(self) -> None:
        """Waits for exchanges in flight."""
        await self._replay.close()

    async def _opened(self, request: ExchangeRequest) -> Case:
        """A case with an entry of its own and an authenticated client, from a view to go by."""
        self._state.require_fresh()
        case = Case(request, self._recorder.new_id(), tried(request.proof))
        application = await self._authenticated(case)
        await self._within_rates(case, application)
        await self._newcomers.admit(request.zone, request.session)
        return case

    async def _again(self, earlier: Case) -> Case:
        """The same request of the same client; what it showed may count only once."""
        self._state.require_fresh()
        request, application = earlier.request, required(earlier.application)
        case = Case(request, self._recorder.new_id(), earlier.peer, application=application)
        try:
            case.application = self._clients.living(request.zone, application.id)
        except CaracalError as refusal:
            raise await self._refused(case, refusal) from None
        await self._within_rates(case, application)
        return case

    async def _authenticated(self, case: Case) -> Application:
        """Who asks; a refusal is recorded with the method that was tried, and what failed of it."""
        request = case.request
        try:
            found = await self._clients.authenticate(
                request.zone, request.application, request.proof
            )
        except CaracalError as refusal:
            if refusal.reason is Reason.RATE_LIMITED:
                raise
            case.refuted_by = proof_cause(refusal)
            raise await self._refused(case, refusal) from refusal.__cause__
        case.application, case.peer = found.application, found.peer
        return found.application

    async def _within_rates(self, case: Case, application: Application) -> None:
        """Counts the exchange; raises `RATE_LIMITED` for one too many."""
        try:
            self._rates.take(self._state.zone(case.request.zone), application.id)
        except CaracalError as refusal:
            unrecorded = self._rates.untold(application.id)
            if unrecorded is None:
                raise
            raise await self._refused(case, refusal, unrecorded=unrecorded) from None

    async def _repeatable(self, case: Case) -> Issued:
        """The answer to all with the same request id; one that is dead by now is decided anew."""
        issued = await self._once(case)
        if self._requests.is_alive(issued.mandate):
            return issued
        self._replay.drop(case.request.key, issued)
        return await self._once(await self._again(case))

    async def _once(self, case: Case) -> Issued:
        request = case.request
        try:
            return await self._replay.once(request.key, case.digest(), lambda: self._decided(case))
        except CaracalError as refusal:
            not_begun = refusal.reason in {Reason.CONFLICT, Reason.LIMIT_EXCEEDED}
            if not not_begun or "audit_id" in refusal.metadata:
                raise  # recorded where it was decided
            raise await self._refused(case, refusal) from None

    async def _decided(self, case: Case) -> Issued:
        try:
            grant = await self._requests.held(case, lambda: self._grant(case))
        except CaracalError as refusal:
            raise await self._refused(case, refusal) from refusal.__cause__
        await self._record(case, grant.entry)
        return grant.issued

    async def _grant(self, case: Case) -> Grant:
        """What the request of `case` may have as things are now, signed; nothing holds yet."""
        ruling = await self._decider.decide(case)
        approval = await self._step_up.released(case, ruling)
        issued = self._minter.mint(case, ruling)
        changes, expects = self._step_up.uses(approval)
        return Grant(issued, self._allowed(case, issued.mandate), changes, expects)

    def _allowed(self, case: Case, mandate: Mandate) -> Entry:
        facts = case.facts()
        facts |= {
            "granted_scopes": tuple(sorted(mandate.scopes)),
            "jti": mandate.jti,
            "expires_at": mandate.expires_at,
            "details": facts["details"] | {"key": mandate.kid, "issued_at": mandate.issued_at},
        }
        return self._recorder.entry(case.audit_id, case.request.zone, "exchange", "allow", **facts)

    async def _record(self, case: Case, entry: Entry) -> None:
        """Records what was decided; only then do others hear of it, who must not hold it up."""
        if await self._recorder.record_once(entry):
            self._offer(case.whole(entry))

    async def _refused(self, case: Case, refusal: CaracalError, **details: int) -> CaracalError:
        """Records the refusal, with more `details`, and returns it with the id of its entry."""
        if self._state.find_zone(case.request.zone) is None:
            return refusal  # there is no ledger to record it in, and nothing more to be told
        facts = _denied(case, refusal, details)
        entry = self._recorder.entry(case.audit_id, case.request.zone, "exchange", "deny", **facts)
        await self._record(case, entry)
        refusal.metadata["audit_id"] = case.audit_id
        request = case.request
        return self._aliases.veil(request.zone, request.application, refusal, request.session)


def _denied(case: Case, refusal: CaracalError, details: Mapping[str, int]) -> dict[str, Any]:
    """The fields of the entry of a refusal."""
    facts = case.facts()
    return facts | {
        "reason": refusal.reason.value,
        "details": {**facts.get("details", {}), **details},
    }
