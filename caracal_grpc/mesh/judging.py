"""The verdict on a question: a guard's, by the rule that the path names."""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple, NoReturn

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import REQUEST, typeid_of
from caracal_grpc.core.limits import LEEWAY
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.rule import Rule
from caracal_grpc.interceptors.context.inbound import Inbound
from caracal_grpc.interceptors.guard.aio.verdicts import AioVerdicts
from caracal_grpc.interceptors.guard.behind import Behind
from caracal_grpc.mesh.matching import match_of, name_of
from caracal_grpc.mesh.question import Question
from caracal_grpc.mesh.routes import Match, Routes

_UNSHOWN: Final = Behind()
_CUSTOM: Final = 8
"""The version of a UUID whose bits are ours (RFC 9562 section 5.8)."""


class Judged(NamedTuple):
    """A request that may go on: under `mandate`, whose text is `token`, or as a public one.

    `inbound` is what it brought, without claims of identity. `life` is in how many seconds a call
    of gRPC has to be over, since its mandate will have expired, and `cache_seconds` for how many
    the verdict may be repeated. `decision_id` is the ledger entry that explains it: its own, else
    that of its mandate.
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

    `cache_seconds` is for how long a proxy may repeat a verdict at most.
    """

    def __init__(
        self, verdicts: AioVerdicts, routes: Routes, clock: Clock, *, cache_seconds: int = 0
    ) -> None:
        self._verdicts = verdicts
        self._routes = routes
        self._now = clock.now
        self._cache_seconds = cache_seconds

    async def judge(self, question: Question) -> Judged:
        """Raises the refusal, which is recorded, with its `decision_id` among the metadata."""
        match = self._match(question)
        rule = match.rule
        use = use_of(question) if rule.single_use else ""
        admission = await self._verdicts.on(
            match.name,
            rule,
            question.headers.entries,
            _peer(question, rule),
            match.variables,
            use=use,
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
            life if match.grpc else None,
            self._repeatable(rule, mandate, life) if self._cache_seconds else 0,
        )

    def _repeatable(self, rule: Rule, mandate: Mandate, life: float) -> int:
        """Seconds for which a proxy may repeat the verdict; none on what is of one connection.

        What the verdict was made by is no older at the end of them than an edge's knowledge may be:
        whoever repeats it learns of a revocation no later than an edge does.
        """
        if rule.single_use or mandate.binding is not None:
            return 0
        return max(0, min(self._cache_seconds, int(life) - LEEWAY, int(self._verdicts.slack)))

    def require_still(self, question: Question, judged: Judged) -> None:
        """Raises why a request may not go on after all, that had to wait since it was judged."""
        try:
            self._verdicts.check(
                judged.token, judged.match.rule, question.thumbprint, judged.match.variables
            )
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


def _peer(question: Question, rule: Rule) -> Behind:
    """Who sent the request to the proxy, and for how long the authority may be asked about it."""
    if rule.single_use:
        return Behind(question.thumbprint, question.patience.authority())
    return _UNSHOWN if question.thumbprint is None else Behind(question.thumbprint)


def use_of(question: Question) -> str:
    """The name of one use: a proxy that asks again about one request does not use it twice.

    Empty when the proxy does not say which request it asks about, or says what its caller says.
    """
    exchange = question.exchange
    if not exchange or any(exchange == value for _, value in question.headers):
        return ""
    said = f"{exchange} {question.verb} {question.host} {question.path}"
    return typeid_of(REQUEST, int.from_bytes(hashlib.sha256(said.encode()).digest()[:16]), _CUSTOM)
