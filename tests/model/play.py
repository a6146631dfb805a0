"""One zone, as the authority and as the reference have it: whatever is done is done to both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

from caracal_grpc.authority.approvals.approvals import Review
from caracal_grpc.authority.delegations.delegation import DelegationRequest
from caracal_grpc.authority.exchange.case import Issued
from caracal_grpc.authority.sessions.start import SessionStart
from caracal_grpc.core.ceiling import Ceiling
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import DELEGATION, sibling
from tests.model import reference
from tests.model.reference import Approval, Mandate, Reach, Request, Session, World
from tests.model.stage import REVIEWER, WORKERS, Stage, known_user

DEAD = {"MANDATE_EXPIRED", "MANDATE_REVOKED"}

T = TypeVar("T")


@dataclass(eq=False)
class Paused:
    """An approval that both sides know."""

    model: Approval
    id: str


class Play:
    """Each method asks both sides the same, and fails when they do not agree.

    `seen` counts what was answered.
    """

    def __init__(self, stage: Stage, visibility: str, seen: Counter[str]) -> None:
        self.stage = stage
        self.seen = seen
        self.rig = stage.rig
        self.authority = stage.rig.authority
        self.edge = stage.open(visibility)
        self.zone = self.edge.zone
        self.world = World(int(self.rig.clock.now()))
        self.standing: dict[str, Session] = {}
        self.ids: dict[Session, str] = {}
        self.issued: dict[Mandate, Issued] = {}
        self.watched: set[Mandate] = set()
        self.paused: list[Paused] = []
        for name in WORKERS:
            reach = reference.OWN_CEILING if name == reference.BOUNDED else None
            made = self.standing[name] = Session(name, reach=reach, born=self.world.now)
            self.ids[made] = self.rig.standing(name, self.zone)

    def close(self) -> None:
        """The edge goes; the zone is left behind."""
        self.stage.run(self.edge.close())

    def start(
        self, holder: str, above: Session, reach: Reach | None, life: int, user: str
    ) -> Session | None:
        """An application starts a session."""
        ceiling, token = Ceiling(reach) if reach else None, f"token-of-{user}" if user else ""
        asked = SessionStart(self.zone, self.ids[above], ceiling=ceiling, life=life, id_token=token)

        async def work() -> Any:
            caller = await self.rig.caller(holder, self.zone)
            return (await self.authority.sessions.start(caller, asked)).session

        against = self.world.against_start(holder, above, reach, user)
        started = self._called("start", holder, work(), against)
        if started is None:
            return None
        begun, ends = self.world.now, min(above.ends, self.world.now + life)
        below = Session(holder, above, reach or above.reach, ends, begun, user or above.user)
        assert (started.expires_at, started.parent) == (ends, self.ids[above])
        self.ids[below] = started.id
        return below

    def delegate(
        self,
        holder: str,
        above: Session,
        receiver: str,
        reach: Reach,
        life: int,
        hops: int | None,
    ) -> Session | None:
        """An application passes part of what it can reach on to another."""
        asked = DelegationRequest(self.zone, receiver, Ceiling(reach), life, self.ids[above], hops)

        async def work() -> Any:
            caller = await self.rig.caller(holder, self.zone)
            return (await self.authority.delegations.delegate(caller, asked)).delegation.landing

        against = self.world.against_delegation(holder, above, receiver, reach, hops)
        landing = self._called("delegate", holder, work(), against)
        if landing is None:
            return None
        begun, ends = self.world.now, min(above.ends, self.world.now + life)
        below = Session(receiver, above, reach, ends, begun, above.user, delegated=True)
        left = reference.hops_left([*reference.chain(above), (receiver, None)])
        below.hops = left if hops is None else hops
        assert (landing.expires_at, landing.max_hops) == (ends, below.hops)
        self.ids[below] = landing.id
        return below

    def exchange(self, request: Request, paused: Paused | None) -> Mandate | None:
        """An application asks for a mandate; it is what was asked for, and no more than may be."""
        behind, approval = request.behind, paused.model if paused else None
        answer = self.stage.asked(
            self.rig.exchange(
                request.holder,
                request.resource,
                *request.scopes,
                zone=self.zone,
                session=self.ids[request.session],
                subject_token=self.issued[behind].token if behind else "",
                ttl=request.life,
                approval=paused.id if paused else "",
            )
        )
        against = self.world.against(request) or self.world.against_using(approval, request)
        issued = self._agreed("exchange behind" if behind else "exchange", answer, against)
        if issued is None:
            self._held_back(request, answer)
            return None
        if reference.DROP in request.scopes and approval:
            approval.used = True
        self._require_narrow(request, issued)
        mandate = request.mandate(self.world.end_of(request))
        self.issued[mandate] = issued
        self.watched.add(mandate)
        return mandate

    def review(self, paused: Paused, *, approved: bool, own: bool) -> None:
        """A reviewer, or the requester itself, decides about a request that is held."""
        approval, by = paused.model, paused.model.request.holder if own else REVIEWER
        against = self.world.against_deciding(approval)
        if approval.rejected and not approved:
            against = set()
        if own:
            against.add("ACTOR_FORBIDDEN")

        async def work() -> Any:
            caller = await self.rig.caller(by, self.zone)
            reviewer = await self.rig.caller(REVIEWER, self.zone)
            seen, _ = await self.authority.approvals.get(reviewer, self.zone, paused.id)
            said = Review(self.zone, paused.id, seen.held.binding, approved)
            return await self.authority.approvals.review(caller, said)

        if self._called("approve" if approved else "reject", by, work(), against):
            approval.approved |= approved
            approval.rejected |= not approved

    def stop(self, session: Session) -> None:
        """The operator stops a session for a while, or lets it go on."""
        suspensions, over = self.authority.suspensions, self.world.is_over(session)
        what = "resume" if session.suspended else "suspend"
        change = suspensions.resume if session.suspended else suspensions.suspend
        answer = self.stage.asked(change(self._operator, self.zone, self.ids[session], ""))
        if self._agreed(what, answer, {"SESSION_NOT_ACTIVE"} if over else set()):
            session.suspended = not session.suspended

    def revoke(self, kind: str, mandate: Mandate, session: Session) -> None:
        """The operator kills something that the mandate stands on, if there is such a thing."""
        anchor = self._anchor(kind, mandate, session)
        if not anchor:
            return
        revocations = self.authority.revocations
        answer = self.stage.asked(revocations.revoke(self._operator, self.zone, anchor, ""))
        assert self._agreed(f"revoke {kind}", answer, set())
        match kind:
            case "mandate":
                mandate.revoked = True
            case "application":
                self.world.gone.add(session.holder)
            case "user":
                self.world.ban(session.user)
            case _:
                session.ended = True

    def pass_time(self, seconds: int) -> None:
        """Time goes by."""
        self.stage.run(self.rig.advance(seconds))
        self.world.now += seconds

    def compare_guards(self) -> None:
        """Nothing that is dead passes a guard, and nothing that lives is refused."""
        self.stage.run(self.edge.caught_up())
        for mandate in list(self.watched):
            passes, token = self.world.passes(mandate), self.issued[mandate].token
            said = self.stage.verdicts(self.edge, token, mandate.resource, mandate.scopes)
            assert said == {""} if passes else said <= DEAD, (said, passes, mandate)
            self.seen["passed" if passes else "stopped"] += 1
            if self.world.now >= mandate.ends + reference.LEEWAY:
                self.watched.discard(mandate)  # for ever

    def _anchor(self, kind: str, mandate: Mandate, session: Session) -> str:
        own = self.ids[session]
        match kind:
            case "mandate":
                return self.issued[mandate].mandate.jti
            case "application":
                return self.rig.application(session.holder, self.zone)
            case "user":
                return known_user(session.user).id if session.user else ""
            case "delegation":
                return sibling(DELEGATION, own) if session.delegated else ""
        return own

    def _held_back(self, request: Request, refusal: Any) -> None:
        """The approval that is named is the one that the same request waits for already."""
        named = refusal.metadata.get("approval_id")
        if refusal.reason.value != "STEP_UP_REQUIRED":
            return
        waiting = self.world.waiting(request)
        if waiting is None:
            waiting = Approval(request, self.world.now + reference.PATIENCE)
            self.world.approvals.append(waiting)
            self.paused.append(Paused(waiting, named))
        assert [each.id for each in self.paused if each.model is waiting] == [named]

    def _require_narrow(self, request: Request, issued: Issued) -> None:
        mandate = issued.mandate
        assert (mandate.resource, mandate.scopes) == (request.resource, request.scopes)
        assert mandate.expires_at == self.world.end_of(request)
        for each in request.lineage():
            assert each.reach is None or mandate.scopes <= each.reach[mandate.resource]
            assert mandate.expires_at <= each.ends
        hops = reference.chain(request.session, request.behind)
        named = [self.rig.application(holder, self.zone) for holder, _ in hops]
        assert [hop.application for hop in mandate.chain] == named
        assert reference.hops_left(hops) >= 0

    def _called(self, what: str, holder: str, work: Awaitable[T], against: set[str]) -> T | None:
        """The same for what an application calls the authority for, which it must be able to."""
        if holder in self.standing:
            own = self.world.against_calling(holder, self.standing[holder])
            against = own or against
        return self._agreed(what, self.stage.asked(work), against)

    def _agreed(self, what: str, answer: T | CaracalError, against: set[str]) -> T | None:
        """The value that both say there is; `None` when both refuse, for a reason that holds."""
        if isinstance(answer, CaracalError):
            assert answer.reason.value in against, (what, answer, against)
            self.seen[f"{what}: {answer.reason.value}"] += 1
            return None
        assert not against, (what, answer, against)
        self.seen[what] += 1
        return answer

    @property
    def _operator(self) -> Any:
        assert self.rig.operator is not None
        return self.rig.operator
