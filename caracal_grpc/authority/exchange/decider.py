"""What a request may have: lineage, ceilings and policy, in one piece of time, for every path.

Policy may take its time, so what it was asked about is looked at again when it has answered. Only
an answer to the question that would be asked now counts: whatever was revoked, suspended, narrowed
or replaced meanwhile has its say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from caracal_grpc.authority.exchange.actor import ActorTokens
from caracal_grpc.authority.exchange.case import Case, ExchangeRequest, policy_refusal, required
from caracal_grpc.authority.exchange.lineage import Lineage, resolve
from caracal_grpc.authority.exchange.question import who_asks
from caracal_grpc.authority.exchange.subject import SubjectTokens
from caracal_grpc.authority.policies.compiled import CompiledPolicy
from caracal_grpc.authority.policies.policies import Policies
from caracal_grpc.authority.state.frozen import require_unfrozen
from caracal_grpc.authority.state.liveness import require_alive
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.authority.state.unfinished import require_settled
from caracal_grpc.core.answer import Answer, reach_of
from caracal_grpc.core.ceiling import narrow, reachable, step
from caracal_grpc.core.decision import Decision
from caracal_grpc.core.entry import MAX_ITEMS
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import require_resource
from caracal_grpc.core.may_act import actor_forbidden, require_may_act
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.session import require_generation
from caracal_grpc.core.zone import AUTHORITY, Resource, Zone

ROUNDS: Final = 3
"""How often policy is asked again because what it was asked about has changed meanwhile."""

_ENCODE: Final = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Posed:
    """What a request comes to before policy is asked, and the `question` that it asks."""

    zone: Zone
    resource: Resource
    lineage: Lineage
    scopes: frozenset[str]
    question: Mapping[str, Any] = field(repr=False)
    revision: int
    """Of the store, that all of this was read from."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a request may have: `scopes` on `resource`, at once or, for a step-up, once approved."""

    zone: Zone
    resource: Resource
    lineage: Lineage
    scopes: frozenset[str]
    decision: Decision


class Decider:
    """Decides requests whose client is authenticated; what it learns goes into the case."""

    def __init__(
        self,
        state: State,
        policies: Policies,
        subjects: SubjectTokens,
        actors: ActorTokens,
        clock: Clock,
    ) -> None:
        self._state = state
        self._policies = policies
        self._subjects = subjects
        self._actors = actors
        self._clock = clock

    async def decide(self, case: Case) -> Ruling:
        """What the request of `case` may have; raises the first reason why nothing.

        Raises `STORE_UNAVAILABLE` when what policy is asked about changes all the time.
        """
        asked_at = int(self._clock.now())
        posed = self._posed(case, asked_at)
        for _ in range(ROUNDS):
            policy = await self._policies.active(posed.zone.name)
            decision = await self._ask(case, policy, posed)
            moved = posed.revision != self._state.revision or asked_at != int(self._clock.now())
            now = self._posed(case, asked_at) if moved else posed
            if now.question == posed.question and self._policies.decides(now.zone.name, policy):
                given = _given(case, now.scopes, decision)
                return Ruling(now.zone, now.resource, now.lineage, given, decision)
            posed = now
        raise CaracalError(
            Reason.STORE_UNAVAILABLE,
            "others keep changing what the request stands on; try again",
            retry_after=0.1,
        )

    def pose(self, case: Case, asked_at: int) -> Posed:
        """What the request of `case` asks of policy as things are now; `asked_at` is its `now`.

        Raises the first reason why there is nothing to ask.
        """
        self._state.require_fresh()
        revision, zone = self._state.revision, self._state.zone(case.request.zone)
        application = required(case.application)
        case.application = self._state.application(zone.name, application.id) or application
        require_settled(self._state, zone.name)
        resource = self._resource(case.request)
        lineage = case.lineage = self._lineage(case, zone)
        require_alive(self._state, lineage.sessions, self._clock.now())
        require_generation(lineage.session, case.request.generation)
        self._require_may_act(resource, lineage)
        scopes = self._narrowed(case, resource, lineage)
        question = self._question(case, zone, resource, scopes, asked_at)
        return Posed(zone, resource, lineage, scopes, question, revision)

    def _posed(self, case: Case, asked_at: int) -> Posed:
        """The same, in a zone that grants anything at all."""
        posed = self.pose(case, asked_at)
        require_unfrozen(posed.zone, posed.resource.name)
        return posed

    async def _ask(self, case: Case, policy: CompiledPolicy, posed: Posed) -> Decision:
        case.policy_version, case.policy_reasons = policy.version, ()
        case.question, case.answer = _ENCODE(posed.question), None
        case.recordable = posed.zone.record_context or not case.request.context
        try:
            decision = await policy.decide(case.question)
        except CaracalError as error:
            case.answer = Answer.failed(error)
            raise
        case.policy_reasons = decision.reasons[:MAX_ITEMS]
        case.answer = Answer.of(decision, *reach_of(posed.question))
        return decision

    def _lineage(self, case: Case, zone: Zone) -> Lineage:
        request, application = case.request, required(case.application)
        bound = bool(request.binding)
        subject = self._subjects.verify(zone.name, request.subject_token, bound=bound)
        session = self._actors.session(request)
        return resolve(self._state, zone, application, session, subject)

    def _require_may_act(self, resource: Resource, lineage: Lineage) -> None:
        """Refuses whom the resource does not know as acting for the subject."""
        if resource is AUTHORITY and lineage.delegated:
            raise at_the_authority(lineage.application.id)
        zone = lineage.session.zone
        actors = (
            (hop.application, self._state.name_of(zone, hop.application)) for hop in lineage.chain
        )
        require_may_act(resource.may_act, actors, lineage.subject_names(self._state))

    def _narrowed(self, case: Case, resource: Resource, lineage: Lineage) -> frozenset[str]:
        requested = case.request.scopes
        scopes, case.steps = narrow(resource.name, resource.scopes, requested, lineage.ceilings())
        kept = lineage.narrowed(resource.name, requested, scopes)
        if kept != scopes:
            case.steps = (*case.steps, step("subject token", kept))
        return kept

    def _resource(self, request: ExchangeRequest) -> Resource:
        resource = self._state.protected(request.zone, request.resource)
        if resource is None:
            raise not_found("resource", request.resource[:128])
        require_resource("resource", resource.name)
        if resource is AUTHORITY and request.subject_token:
            raise at_the_authority(request.application)
        return resource

    def _question(
        self, case: Case, zone: Zone, resource: Resource, scopes: frozenset[str], asked_at: int
    ) -> dict[str, Any]:
        lineage, request = required(case.lineage), case.request
        return {
            "zone": zone.name,
            **who_asks(self._state, lineage),
            "resource": {
                "name": resource.name,
                "scopes": sorted(_in_reach(case, resource, scopes)),
                "may_act": [asdict(rule) for rule in resource.may_act],
                **self._family(zone, resource),
            },
            "requested_scopes": sorted(scopes) if request.scopes else [],
            "peer": case.peer.to_input(),
            "context": dict(request.context),
            "now": asked_at,
        }

    def _family(self, zone: Zone, resource: Resource) -> dict[str, str]:
        """What policy hears of the family that the resource is one of, if the zone declares it."""
        family = self._state.family(zone.name, resource.name)
        return {"family": family.name} if family else {}


def _given(case: Case, scopes: frozenset[str], decision: Decision) -> frozenset[str]:
    given = decision.outcome in {"allow", "step_up"}
    kept = decision.given(case.request.scopes, scopes) if given else frozenset[str]()
    if not kept:
        raise policy_refusal(case, Reason.POLICY_DENIED, "policy does not grant this")
    case.steps = (*case.steps, step("policy", kept))
    return kept


def _in_reach(case: Case, resource: Resource, scopes: frozenset[str]) -> frozenset[str]:
    """What policy hears of a resource: the scopes that the lineage leaves of it, asked for or not.

    `scopes` is what it leaves of the request.
    """
    if not case.request.scopes:
        return scopes
    lineage = required(case.lineage)
    left = reachable(resource.name, resource.scopes, lineage.ceilings())
    return lineage.narrowed(resource.name, frozenset(), left)


def at_the_authority(actor: str) -> CaracalError:
    """The refusal of who would act at the authority on behalf of another (`ACTOR_FORBIDDEN`)."""
    return actor_forbidden(
        actor, "nobody acts at the authority on behalf of another; act there as yourself"
    )
