"""The exchange: the one function behind every mandate that is ever issued.

Authenticate the client, resolve the subject, load the lineage, check that it lives, narrow by every
ceiling, ask policy, cap, sign, record, answer. The mandate leaves only when its entry is durable.
"""

from __future__ import annotations

from typing import Final

from caracal_grpc.authority.exchange.case import (
    Case,
    ExchangeRequest,
    Issued,
    policy_refusal,
    required,
)
from caracal_grpc.authority.exchange.clients import authenticate
from caracal_grpc.authority.exchange.lineage import resolve
from caracal_grpc.authority.exchange.policies import Policies
from caracal_grpc.authority.exchange.replay import Replay
from caracal_grpc.authority.exchange.subject import SubjectTokens
from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.state.bucket import Bucket
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.authority.state.unfinished import require_settled
from caracal_grpc.core.ceiling import narrow, reachable, step
from caracal_grpc.core.decision import Decision
from caracal_grpc.core.entry import MAX_ITEMS
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import MANDATE, require_resource
from caracal_grpc.core.limits import MIN_TTL
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.zone import AUTHORITY, Resource, Zone
from caracal_grpc.crypto import mandates

FAILED_AUTH_RATE: Final = 20.0
FAILED_AUTH_BURST: Final = 200.0
FAILED_AUTH: Final = "too many failed authentications; wait and check the credential"


class Exchange:
    """Issues mandates; call `issue`."""

    def __init__(
        self,
        state: State,
        keyring: Keyring,
        policies: Policies,
        subjects: SubjectTokens,
        recorder: Recorder,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._state = state
        self._keyring = keyring
        self._policies = policies
        self._subjects = subjects
        self._recorder = recorder
        self._clock = clock
        self._ids = ids
        self._replay: Replay[Issued] = Replay(clock)
        self._failures = Bucket(clock, FAILED_AUTH_RATE, FAILED_AUTH_BURST, FAILED_AUTH)

    async def issue(self, request: ExchangeRequest) -> Issued:
        """The mandate that `request` is granted, recorded; raises the first reason why not.

        A refusal is recorded too, and carries the id of its entry as metadata `audit_id`.
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
        case = Case(request, self._recorder.new_id())
        try:
            case.application = authenticate(
                self._state, request.zone, request.application, request.secret
            )
        except CaracalError as refusal:
            self._failures.take()
            raise await self._refused(case, refusal) from None
        return case

    async def _repeatable(self, case: Case) -> Issued:
        """The answer to all with the same request id; one that is dead by now is decided anew."""
        issued = await self._once(case)
        if self._is_alive(issued.mandate):
            return issued
        self._replay.drop(case.request.key, issued)
        return await self._once(await self._opened(case.request))

    async def _once(self, case: Case) -> Issued:
        request = case.request
        try:
            return await self._replay.once(
                request.key, request.digest(), lambda: self._decided(case)
            )
        except CaracalError as refusal:
            if refusal.reason not in {Reason.CONFLICT, Reason.LIMIT_EXCEEDED}:
                raise  # recorded where it was decided
            raise await self._refused(case, refusal) from None

    def _is_alive(self, mandate: Mandate) -> bool:
        expired = mandate.expires_at <= self._clock.now()
        return not expired and self._state.dead(mandate.zone).isdisjoint(mandate.anchors)

    async def _decided(self, case: Case) -> Issued:
        try:
            issued = self._decide(case)
        except CaracalError as refusal:
            raise await self._refused(case, refusal) from refusal.__cause__
        await self._allowed(case, issued.mandate)
        return issued

    def _decide(self, case: Case) -> Issued:
        """Everything between the question and the signature, in one piece of time."""
        request, application = case.request, required(case.application)
        zone = self._state.zone(request.zone)
        require_settled(self._state, zone.name)
        resource = self._resource(request)
        bound = bool(request.binding)
        subject = self._subjects.verify(zone.name, request.subject_token, bound=bound)
        lineage = resolve(self._state, zone, application, request.session, subject)
        case.lineage = lineage
        lineage.require_alive(self._clock.now())
        scopes, case.steps = narrow(
            resource.name, resource.scopes, request.scopes, lineage.ceilings()
        )
        kept = lineage.narrowed(resource.name, request.scopes, scopes)
        if kept != scopes:
            case.steps = (*case.steps, step("subject token", kept))
            scopes = kept
        decision = self._ask(case, zone, resource, scopes)
        granted = self._granted(case, scopes, decision)
        return self._sign(case, zone, resource, granted, decision)

    def _resource(self, request: ExchangeRequest) -> Resource:
        resource = self._state.protected(request.zone, request.resource)
        if resource is None:
            raise not_found("resource", request.resource[:128])
        require_resource("resource", resource.name)
        if resource is AUTHORITY and request.subject_token:
            raise CaracalError(
                Reason.ACTOR_FORBIDDEN, "nobody acts at the authority on behalf of another"
            )
        return resource

    def _ask(self, case: Case, zone: Zone, resource: Resource, scopes: frozenset[str]) -> Decision:
        policy = self._policies.active(zone.name)
        case.policy_version = policy.version
        lineage, request = required(case.lineage), case.request
        question = {
            "zone": zone.name,
            **lineage.question(self._state),
            "resource": {
                "name": resource.name,
                "scopes": sorted(_in_reach(case, resource, scopes)),
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

    def _granted(self, case: Case, scopes: frozenset[str], decision: Decision) -> frozenset[str]:
        if decision.outcome == "step_up":
            raise policy_refusal(case, Reason.STEP_UP_REQUIRED, "policy asks for an approval first")
        allowed = decision.outcome == "allow"
        kept = decision.given(case.request.scopes, scopes) if allowed else frozenset[str]()
        if not kept:
            raise policy_refusal(case, Reason.POLICY_DENIED, "policy does not grant this")
        case.steps = (*case.steps, step("policy", kept))
        return kept

    def _sign(
        self,
        case: Case,
        zone: Zone,
        resource: Resource,
        scopes: frozenset[str],
        decision: Decision,
    ) -> Issued:
        lineage, now = required(case.lineage), self._clock.now()
        key = self._keyring.signing_key(zone.name)
        at_authority = resource is AUTHORITY
        mandate = Mandate(
            issuer=zone.issuer,
            zone=zone.name,
            use="session" if at_authority else "resource",
            resource=zone.issuer if at_authority else resource.name,
            scopes=scopes,
            subject=lineage.subject,
            subject_type=lineage.subject_type,
            application=lineage.application.id,
            session=lineage.session.id,
            root_session=lineage.root,
            jti=self._ids.new(MANDATE),
            issued_at=int(now),
            expires_at=int(now) + self._life(case, zone, resource, decision, now),
            policy_version=case.policy_version,
            audit_id=case.audit_id,
            kid=key.kid,
            chain=lineage.chain,
            ancestors=lineage.ancestors,
            binding=case.request.binding or None,
        )
        return Issued(mandate, mandates.mint(key, mandate))

    def _life(
        self, case: Case, zone: Zone, resource: Resource, decision: Decision, now: float
    ) -> int:
        """Seconds: what is asked for, at least `MIN_TTL`, shortened by all that ends earlier."""
        wanted = case.request.ttl or zone.default_ttl
        bounds = [max(wanted, MIN_TTL), resource.max_ttl, decision.ttl_seconds]
        bounds.append(required(case.lineage).remaining(now))
        return max(1, min(bound for bound in bounds if bound is not None))

    async def _allowed(self, case: Case, mandate: Mandate) -> None:
        facts = case.facts()
        facts |= {
            "granted_scopes": tuple(sorted(mandate.scopes)),
            "jti": mandate.jti,
            "expires_at": mandate.expires_at,
            "details": facts["details"] | {"key": mandate.kid},
        }
        await self._recorder.record(case.audit_id, case.request.zone, "exchange", "allow", **facts)

    async def _refused(self, case: Case, refusal: CaracalError) -> CaracalError:
        """Records the refusal and returns it with the id of its entry."""
        if self._state.find_zone(case.request.zone) is None:
            return refusal  # there is no ledger to record it in, and nothing more to be told
        await self._recorder.record(
            case.audit_id,
            case.request.zone,
            "exchange",
            "deny",
            **(case.facts() | {"reason": refusal.reason.value}),
        )
        refusal.metadata["audit_id"] = case.audit_id
        return refusal


def _in_reach(case: Case, resource: Resource, scopes: frozenset[str]) -> frozenset[str]:
    """What policy hears of a resource: the scopes that the lineage leaves of it, asked for or not.

    `scopes` is what it leaves of the request.
    """
    if not case.request.scopes:
        return scopes
    lineage = required(case.lineage)
    left = reachable(resource.name, resource.scopes, lineage.ceilings())
    return lineage.narrowed(resource.name, frozenset(), left)
