"""The way out: what the application asks of an upstream goes under a mandate for that upstream.

The application hands on the mandate that its caller came with, which is for the application and for
nobody else. It is verified, and exchanged for one that is for the upstream and for what the method
takes; the upstream never sees the first one, nor could it use it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import APPROVAL, require_id
from caracal_grpc.core.limits import LEEWAY
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Rule
from caracal_grpc.core.verdict import audience_mismatch, scope_insufficient
from caracal_grpc.interceptors import Edge
from caracal_grpc.interceptors.client.aio.mandates import AioMandates
from caracal_grpc.interceptors.client.attachment import AUTHORIZATION, attach
from caracal_grpc.interceptors.context.inbound import Inbound
from caracal_grpc.interceptors.guard.aio.verdicts import AioVerdicts
from caracal_grpc.interceptors.guard.behind import Behind
from caracal_grpc.interceptors.guard.gate import Admission
from caracal_grpc.interceptors.resource_field import resource_of
from caracal_grpc.mesh.answers.answer import Allowed
from caracal_grpc.mesh.arrivals import Arrivals
from caracal_grpc.mesh.claims import rewritten, untrusted
from caracal_grpc.mesh.judging import use_of
from caracal_grpc.mesh.matching import match_of, name_of
from caracal_grpc.mesh.question import Question
from caracal_grpc.mesh.routes import Match, Routes
from caracal_grpc.mesh.upstreams import (
    ACTING,
    OnBehalf,
    Upstream,
    Upstreams,
    require_known_callers,
    serves,
)

APPROVAL_HEADER: Final = "x-caracal-approval"
"""With it the application repeats a request that policy held, naming the approval: `apr_…`."""

EXCHANGE_PATIENCE: Final = 5.0
"""Seconds at most that a request waits for its mandate, and less when the proxy waits for less. The
exchange goes on without it, for the next one that asks."""

_NOBODY: Final = Behind()


class OutboundWay:
    """Swaps the mandate of each request, or refuses it.

    `rules` and `routes` say what each request takes, `upstreams` who may be given what, and
    `resources` what this workload serves itself: only mandates for those are its callers'. Make it
    from an edge with `of`.
    """

    def __init__(
        self,
        verdicts: AioVerdicts,
        mandates: Mapping[OnBehalf, AioMandates],
        clock: Clock,
        *,
        upstreams: Upstreams,
        routes: Routes,
        resources: Collection[str],
        arrivals: Arrivals,
    ) -> None:
        """`mandates` are by what `Upstream.on_behalf` may be. Raises `FIELD_INVALID`."""
        self._verdicts = verdicts
        self._mandates = mandates
        self._now = clock.now
        self._upstreams = upstreams
        self._routes = routes
        self._resources = frozenset(resources)
        self._arrivals = arrivals
        require_known_callers(upstreams, arrivals.correlate)

    @classmethod
    def of(
        cls,
        edge: Edge,
        verdicts: AioVerdicts,
        clock: Clock,
        *,
        upstreams: Upstreams,
        routes: Routes,
        resources: Collection[str],
        arrivals: Arrivals | None = None,
        bound: bool | None = None,
    ) -> OutboundWay:
        """The way out of the workload whose application `edge` is; `verdicts` have its rules.

        `arrivals` is the memory of the way in. `bound` mandates need the proxy to show upstreams
        the certificate of the profile.
        """
        return cls(
            verdicts,
            {word: edge.mandates(on_behalf=acting, bound=bound) for word, acting in ACTING.items()},
            clock,
            upstreams=upstreams,
            routes=routes,
            resources=resources,
            arrivals=Arrivals(clock) if arrivals is None else arrivals,
        )

    async def answer(self, question: Question) -> Allowed:
        """What goes on; raises the refusal, which is recorded here or at the authority."""
        try:
            return await self._answer(question)
        except CaracalError as error:
            self._record(question, error)
            raise

    async def _answer(self, question: Question) -> Allowed:
        upstream, match = self._destination(question)
        if match.rule.public:
            return await self._opened(question, match)
        caller = self._caller(question, upstream, match)
        token, mandate = await self._swapped(question, upstream, match, caller)
        if caller is not None and caller.rule is not None:  # it may have died meanwhile
            proven = self._arrivals.proven(caller.token)
            self._verdicts.check(caller.token, caller.rule, proven)
        inbound = Inbound(question.headers.entries)
        gone = untrusted(question.headers, inbound) | {AUTHORIZATION}
        if match.grpc:
            attach([entry for entry in question.headers.entries if entry[0] not in gone], token)
        return Allowed(
            headers=(
                *rewritten(question.headers, inbound),
                (AUTHORIZATION, f"Bearer {token}"),
            ),
            remove=gone,
            mandate=mandate,
            decision_id=mandate.audit_id,
            life=mandate.expires_at + LEEWAY - self._now() if match.grpc else None,
        )

    async def _opened(self, question: Question, match: Match) -> Allowed:
        """What goes on of a request that takes no mandate: nor does that of our caller."""
        headers = question.headers
        admission = await self._verdicts.on(match.name, match.rule, headers.entries, _NOBODY)
        return Allowed(
            headers=rewritten(headers, admission.inbound),
            remove=untrusted(headers, admission.inbound) | {AUTHORIZATION},
            decision_id=admission.decision_id,
        )

    def _destination(self, question: Question) -> tuple[Upstream, Match]:
        """Where the request goes and what it takes there; raises `METHOD_NOT_DECLARED`."""
        upstream = self._upstreams.find(question.host, question.port)
        match = match_of(question, self._verdicts.rules, self._routes)
        if not match.rule.public:
            resource = resource_of(match.rule, match.variables)
            if not serves(upstream.resources, resource):
                raise _served_elsewhere(match, upstream, resource)
        return upstream, match

    def _caller(self, question: Question, upstream: Upstream, match: Match) -> Admission | None:
        """The mandate on whose behalf the request is, verified; `None` for the workload itself."""
        if upstream.on_behalf == "never":
            return None
        entries = question.headers.entries
        if AUTHORIZATION not in question.headers:
            token = self._arrivals.find(question)
            if token is None and upstream.on_behalf == "optional":
                return None
            if token is None:
                raise _no_caller()
            entries = (*entries, (AUTHORIZATION, f"Bearer {token}"))
        return self._verdicts.forwarded(match.name, entries, self._own, self._arrivals.proven)

    def _own(self, mandate: Mandate) -> Rule:
        """What `mandate` must permit, to be one of a caller of ours: all that it says, with us."""
        if not serves(self._resources, mandate.resource):
            raise audience_mismatch(" ".join(sorted(self._resources)))
        if not mandate.scopes:
            raise scope_insufficient(frozenset({"any"}), mandate.scopes)
        return Rule("", mandate.resource, mandate.scopes)

    async def _swapped(
        self, question: Question, upstream: Upstream, match: Match, caller: Admission | None
    ) -> tuple[str, Mandate]:
        """The mandate for the upstream, which its guard would let in."""
        mandates, rule = self._mandates[upstream.on_behalf], match.rule
        check = partial(
            self._verdicts.check, rule=rule, binding=mandates.binding, request=match.variables
        )
        approval = question.headers.one(APPROVAL_HEADER)
        if approval:
            require_id(f"headers.{APPROVAL_HEADER}", approval, APPROVAL)
        return await mandates.get(
            rule,
            None if caller is None else caller.token,
            match.variables,
            check,
            approval=approval or None,
            request_id=(use_of(question) or None) if rule.single_use else None,
            timeout=min(EXCHANGE_PATIENCE, question.patience.authority()),
        )

    def _record(self, question: Question, error: CaracalError) -> None:
        """Has it recorded, unless a verdict did that, or the authority with a refused exchange."""
        told = error.metadata
        if "decision_id" not in told and "audit_id" in told:
            told["decision_id"] = told["audit_id"]
        if "decision_id" not in told:
            self._verdicts.refuse(name_of(question), error, question.headers.entries)


def _served_elsewhere(match: Match, upstream: Upstream, resource: str) -> CaracalError:
    return CaracalError(
        Reason.METHOD_NOT_DECLARED,
        f"the upstream {upstream.name} does not serve {resource}, which the method is about; send "
        "the request to the one that does, or declare it",
        metadata={"method": match.name},
    )


def _no_caller() -> CaracalError:
    return CaracalError(
        Reason.MANDATE_MISSING,
        "requests to the upstream are on behalf of a caller, and there is none here; hand on the "
        "authorization of the request that is being served",
    )
