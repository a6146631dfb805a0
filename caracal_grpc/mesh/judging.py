"""The verdict on a question: a guard's, by the rule that the path names."""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple, NoReturn

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import REQUEST, typeid_of
from caracal_grpc.core.limits import DEFAULT_MAX_STALENESS, LEEWAY
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Rule
from caracal_grpc.interceptors.context.inbound import Inbound
from caracal_grpc.interceptors.guard.aio.verdicts import AioVerdicts
from caracal_grpc.interceptors.guard.behind import Behind
from caracal_grpc.interceptors.guard.gate import RuleSource, method_not_declared
from caracal_grpc.interceptors.resource_field import PathVariables
from caracal_grpc.mesh.paths import folded, segments_of
from caracal_grpc.mesh.question import Question
from caracal_grpc.mesh.routes import Match, Routes

MAX_CACHE: Final = int(DEFAULT_MAX_STALENESS)
"""Seconds: a proxy that repeats a verdict learns of a revocation no later than an edge may."""

_NOTHING: Final = PathVariables()
_UNSHOWN: Final = Behind()
_CUSTOM: Final = 8
"""The version of a UUID whose bits are ours (RFC 9562 section 5.8)."""


class Judged(NamedTuple):
    """A request that may go on: under `mandate`, whose text is `token`, or as a public one.

    `inbound` is what it brought, without claims of identity. `life` is in how many seconds its
    mandate will have expired, and `cache_seconds` for how many the verdict may be repeated.
    `decision_id` is the ledger entry that explains it: its own, else that of its mandate.
    """

    match: Match
    inbound: Inbound
    mandate: Mandate | None = None
    token: str = ""
    decision_id: str = ""
    life: float | None = None
    cache_seconds: int = 0

    def __repr__(self) -> str:
        return f"Judged({self.match.name!r}, decision_id={self.decision_id!r})"


class Judging:
    """Judges questions by the rules of gRPC methods and by the routes of plain HTTP.

    A path that is a declared method of gRPC is that method, whatever the request says that it is;
    others are for `routes`, unless it says that it is gRPC, or the path is below a service that has
    declared methods. `cache_seconds` is for how long a
    proxy may repeat a verdict at most.
    """

    def __init__(
        self, verdicts: AioVerdicts, routes: Routes, clock: Clock, *, cache_seconds: int = 0
    ) -> None:
        self._verdicts = verdicts
        self._routes = routes
        self._now = clock.now
        self._cache_seconds = max(0, min(cache_seconds, MAX_CACHE))

    async def judge(self, question: Question) -> Judged:
        """Raises the refusal, which is recorded, with its `decision_id` among the metadata."""
        match = self._match(question)
        rule = match.rule
        thumbprint = question.caller.thumbprint
        peer = Behind(thumbprint) if thumbprint else _UNSHOWN
        use = use_of(question) if rule.single_use else ""
        admission = await self._verdicts.on(
            match.name, rule, question.headers.entries, peer, match.variables, use=use
        )
        mandate = admission.mandate
        if mandate is None:
            return Judged(match, admission.inbound, decision_id=admission.decision_id)
        life = mandate.expires_at + LEEWAY - self._now()
        return Judged(
            match,
            admission.inbound,
            mandate,
            admission.token,
            admission.decision_id or mandate.audit_id,
            life,
            self._repeatable(rule, mandate, life),
        )

    def _repeatable(self, rule: Rule, mandate: Mandate, life: float) -> int:
        """Seconds for which a proxy may repeat the verdict; none on what is of one connection."""
        if rule.single_use or mandate.binding is not None:
            return 0
        return max(0, min(self._cache_seconds, int(life) - LEEWAY))

    def require_still(self, question: Question, judged: Judged) -> None:
        """Raises why a request may not go on after all, that had to wait since it was judged."""
        peer, match = question.caller.thumbprint or None, judged.match
        try:
            self._verdicts.check(judged.token, match.rule, peer, match.variables)
        except CaracalError as error:
            self.refuse(question, error)

    def _match(self, question: Question) -> Match:
        """What the request is; raises the refusal of one that is nothing, which is recorded."""
        try:
            return match_of(question, self._verdicts.rules, self._routes)
        except CaracalError as error:
            self.refuse(question, error)

    def refuse(self, question: Question, error: CaracalError) -> NoReturn:
        """Raises `error`, for a reason beside the verdict, once it is recorded."""
        self._verdicts.refuse(name_of(question), error, question.headers.entries)
        raise error


def match_of(question: Question, rules: RuleSource, routes: Routes) -> Match:
    """What a request is, by the rules of gRPC methods and the routes of plain HTTP.

    Servers of gRPC look at the path and not at the content type, so that no route is for a path
    below a declared service. Raises `METHOD_NOT_DECLARED` for one that is nothing, and what
    `Routes.find` raises.
    """
    rule = rules.find(question.path)
    if rule is not None:
        return Match(question.path, _judgeable(rule), _NOTHING)
    if question.kind == "http" and not rules.knows(folded(segments_of(question.path)[0])):
        found = routes.find(question.host, question.verb, question.path)
        if found is not None:
            return found
        raise _no_route(name_of(question))
    raise method_not_declared(name_of(question))


def _no_route(name: str) -> CaracalError:
    return CaracalError(
        Reason.METHOD_NOT_DECLARED,
        "no route is declared for the request; add one for its host, path and method",
        metadata={"method": name},
    )


def unjudgeable(rule: Rule) -> bool:
    """Whether a rule of a gRPC method asks what is in its requests, which no proxy shows."""
    return rule.template is not None


def _judgeable(rule: Rule) -> Rule:
    if unjudgeable(rule):
        raise CaracalError(
            Reason.METHOD_NOT_DECLARED,
            "the method's resource is in its requests, which a proxy does not show; guard it in "
            "its own process, or map it to a resource without a field",
            metadata={"method": rule.method},
        )
    return rule


def name_of(question: Question) -> str:
    """What a request that nothing is declared for is called."""
    if question.kind == "http":
        return f"{question.verb} {question.host}{question.path}"
    return question.path


def use_of(question: Question) -> str:
    """The name of one use: a proxy that asks again about one request does not use it twice.

    Empty when the proxy does not say which request it asks about, or says what its caller says.
    """
    exchange = question.exchange
    if not exchange or any(exchange == value for _, value in question.headers):
        return ""
    said = f"{exchange} {question.verb} {question.host} {question.path}"
    return typeid_of(REQUEST, int.from_bytes(hashlib.sha256(said.encode()).digest()[:16]), _CUSTOM)
