"""What a request may have: lineage, ceilings and policy, in one piece of time, for every path."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from caracal_grpc.authority.exchange.actor import ActorTokens
from caracal_grpc.authority.exchange.case import Case, ExchangeRequest, policy_refusal, required
from caracal_grpc.authority.exchange.lineage import Lineage, resolve
from caracal_grpc.authority.exchange.policies import Policies
from caracal_grpc.authority.exchange.question import who_asks
from caracal_grpc.authority.exchange.subject import SubjectTokens
from caracal_grpc.authority.state.liveness import require_alive
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.authority.state.unfinished import require_settled
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

    def decide(self, case: Case) -> Ruling:
        """What the request of `case` may have; raises the first reason why nothing."""
        zone = self._state.zone(case.request.zone)
        require_settled(self._state, zone.name)
        resource = self._resource(case.request)
        lineage = case.lineage = self._lineage(case, zone)
        require_alive(self._state, lineage.sessions, self._clock.now())
        require_generation(lineage.session, case.request.generation)
        self._require_may_act(resource, lineage)
        scopes = self._narrowed(case, resource, lineage)
        decision = self._ask(case, zone, resource, scopes)
        return Ruling(zone, resource, lineage, _given(case, scopes, decision), decision)

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

    def _ask(self, case: Case, zone: Zone, resource: Resource, scopes: frozenset[str]) -> Decision:
        policy = self._policies.active(zone.name)
        case.policy_version = policy.version
        lineage, request = required(case.lineage), case.request
        question = {
            "zone": zone.name,
            **who_asks(self._state, lineage),
            "resource": {
                "name": resource.name,
                "scopes": sorted(_in_reach(case, resource, scopes)),
                "may_act": [asdict(rule) for rule in resource.may_act],
                **self._family(zone, resource),
            },
            "requested_scopes": sorted(scopes) if request.scopes else [],
            "peer": {"address": request.peer} if request.peer else None,
            "context": dict(request.context),
            "now": int(self._clock.now()),
        }
        decision = policy.decide(question)
        case.policy_reasons = decision.reasons[:MAX_ITEMS]
        return decision

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
