"""What the authority should answer, said again in plain Python: no code of ours has a part in it.

Each question is answered with the set of reasons to refuse it. Which of several the authority finds
first is its own affair; with none, it must not refuse at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

Reach = Mapping[str, frozenset[str]]

DOCS, MAIL = "resource://docs", "resource://mail"
DROP = "docs:drop"
"""The one scope that somebody has to approve."""
SCOPES: Reach = {
    DOCS: frozenset({"docs:read", "docs:write", DROP}),
    MAIL: frozenset({"mail:send"}),
}
LONGEST = {DOCS: 900, MAIL: 60}
USUAL, SHORTEST = 300, 5
BOUNDED = "cleo"
"""The application whose own ceiling is lower than what policy grants it."""
OWN_CEILING: Reach = {DOCS: frozenset({"docs:read", "docs:write"})}
WITHOUT_MAIL = "dora"
"""The application to which policy grants no mail."""

MOST_HOPS = 3
DEEPEST = 10
LEEWAY = 5
REMEMBERED = 3600 + 60 + 15
"""Seconds for which a revoked user can begin nothing."""
PATIENCE = 900
"""Seconds for which an approval can be given and used."""


@dataclass(eq=False)
class Session:
    """A session; the one `above` it is another application's when it was delegated."""

    holder: str
    above: Session | None = None
    reach: Reach | None = None
    ends: float = math.inf
    born: int = 0
    user: str = ""
    delegated: bool = False
    hops: int = 0
    ended: bool = False
    suspended: bool = False

    def line(self) -> list[Session]:
        """It and all above it, root first."""
        return [*self.above.line(), self] if self.above else [self]

    def passes_on(self) -> bool:
        """Whether somebody else begins to act here for whoever is above."""
        begins = bool(self.user) and not (self.above and self.above.user)
        return self.delegated or begins


@dataclass(eq=False)
class Mandate:
    """A mandate, on behalf of the holder of the one `behind` it, if there is one."""

    session: Session
    behind: Mandate | None
    resource: str
    scopes: frozenset[str]
    ends: float
    revoked: bool = False

    def lineage(self) -> list[Session]:
        """Every session that it stands on."""
        behind = self.behind.lineage() if self.behind else []
        return list(dict.fromkeys([*behind, *self.session.line()]))


Hop = tuple[str, int | None]
"""Who received authority, and how many more hops there may be below; `None` for as many as may."""


@dataclass(frozen=True)
class Request:
    """What is asked of an exchange."""

    holder: str
    session: Session
    resource: str
    scopes: frozenset[str]
    behind: Mandate | None = None
    life: int | None = None

    def lineage(self) -> list[Session]:
        """Every session that the answer would stand on."""
        return self.mandate(0).lineage()

    def mandate(self, ends: float) -> Mandate:
        """The answer."""
        return Mandate(self.session, self.behind, self.resource, self.scopes, ends)


@dataclass(eq=False)
class Approval:
    """What one request waits for, however often it is made."""

    request: Request
    ends: int
    approved: bool = False
    rejected: bool = False
    used: bool = False

    def is_for(self, request: Request) -> bool:
        """Whether it releases that request: the same in everything that a reviewer was shown."""
        return _what(self.request) == _what(request)


def _what(request: Request) -> object:
    asked = request.holder, request.session, request.resource, request.scopes, request.life
    return asked, tuple(request.lineage()), tuple(chain(request.session, request.behind))


def chain(session: Session, behind: Mandate | None = None) -> list[Hop]:
    """Everybody to whom authority was passed on, from the root down."""
    if behind:
        return [*chain(behind.session, behind.behind), (session.holder, None)]
    return [
        (each.holder, each.hops if each.delegated else None)
        for each in session.line()
        if each.passes_on()
    ]


def hops_left(hops: list[Hop]) -> int:
    """How many more there may be below; negative when there are too many already."""
    bounds = [bound - below for below, (_, bound) in enumerate(reversed(hops)) if bound is not None]
    return min([MOST_HOPS - len(hops), *bounds])


def within(inner: Reach, outer: Reach | None) -> bool:
    """Whether nothing of `inner` is outside `outer`."""
    return outer is None or all(scopes <= outer.get(name, set()) for name, scopes in inner.items())


@dataclass
class World:
    """Everything that the authority should know."""

    now: int
    gone: set[str] = field(default_factory=set)
    banned: dict[str, int] = field(default_factory=dict)
    approvals: list[Approval] = field(default_factory=list)

    def ban(self, user: str) -> None:
        """The user is revoked, unless that is remembered still."""
        if not self._is_banned(user):
            self.banned[user] = self.now

    def is_over(self, session: Session) -> bool:
        """Whether nothing brings it back."""
        return any(each.ends <= self.now or self._is_killed(each) for each in session.line())

    def rests(self, session: Session) -> bool:
        """Whether nothing can be done in it now."""
        return self.is_over(session) or any(each.suspended for each in session.line())

    def passes(self, mandate: Mandate) -> bool:
        """Whether a guard should let it pass."""
        stands_on = mandate.lineage()
        stopped = any(each.suspended or self._is_killed(each) for each in stands_on)
        return not stopped and not mandate.revoked and self.now < mandate.ends + LEEWAY

    def _is_banned(self, user: str) -> bool:
        """Whether nothing can begin for the user now."""
        return self.now < self.banned.get(user, -math.inf) + REMEMBERED

    def _is_killed(self, session: Session) -> bool:
        banned = self.banned.get(session.user)
        logged_out = banned is not None and session.born <= banned + 2 * LEEWAY
        return session.ended or session.holder in self.gone or logged_out

    def against_calling(self, holder: str, standing: Session) -> set[str]:
        """Why the application cannot even speak to the authority."""
        if holder in self.gone:
            return {"CLIENT_AUTH_FAILED"}
        return {"SESSION_NOT_ACTIVE"} if self.rests(standing) else set()

    def against_start(
        self, holder: str, above: Session, reach: Reach | None, user: str
    ) -> set[str]:
        """Why there can be no such session below `above`."""
        found = self._against_below(holder, above, reach)
        if user and (chain(above) or above.user):
            found.add("FIELD_INVALID")
        if self._is_banned(user):
            found.add("SUBJECT_TOKEN_INVALID")
        return found

    def against_delegation(
        self, holder: str, above: Session, receiver: str, reach: Reach, hops: int | None
    ) -> set[str]:
        """Why nothing of the kind can be passed on."""
        found = self._against_below(holder, above, reach)
        left = hops_left([*chain(above), (receiver, None)])
        checks = {
            "OBJECT_NOT_FOUND": receiver in self.gone,
            "ACTOR_FORBIDDEN": any(each.holder == receiver for each in above.line()),
            "HOPS_EXCEEDED": left < 0 or (hops or 0) > left,
        }
        return found | {reason for reason, holds in checks.items() if holds}

    def _against_below(self, holder: str, above: Session, reach: Reach | None) -> set[str]:
        checks = {
            "SESSION_NOT_ACTIVE": above.holder != holder or self.rests(above),
            "SUBJECT_TOKEN_INVALID": self._is_banned(above.user),
            "LIMIT_EXCEEDED": len(above.line()) >= DEEPEST,
            "CEILING_EXCEEDED": reach is not None
            and not all(within(reach, each.reach) for each in above.line()),
        }
        return {reason for reason, holds in checks.items() if holds}

    def against(self, request: Request) -> set[str]:
        """Why the request gets no mandate, approvals aside."""
        if request.holder in self.gone:
            return {"CLIENT_AUTH_FAILED"}
        behind, asked = request.behind, {request.resource: request.scopes}
        token_is_dead = behind is not None and (not self.passes(behind) or behind.ends <= self.now)
        checks = {
            "SESSION_NOT_ACTIVE": request.session.holder != request.holder
            or any(self.rests(each) for each in request.lineage()),
            "SUBJECT_TOKEN_INVALID": token_is_dead,
            "ACTOR_FORBIDDEN": behind is not None and bool(chain(request.session)),
            "CEILING_EXCEEDED": not all(within(asked, each.reach) for each in request.lineage()),
            "SCOPE_INSUFFICIENT": behind is not None
            and behind.resource == request.resource
            and not request.scopes <= behind.scopes,
            "HOPS_EXCEEDED": hops_left(chain(request.session, behind)) < 0,
            "POLICY_DENIED": request.holder == WITHOUT_MAIL and request.resource == MAIL,
        }
        return {reason for reason, holds in checks.items() if holds}

    def against_using(self, approval: Approval | None, request: Request) -> set[str]:
        """Why the approval does not release the request, if it has to be released."""
        if DROP not in request.scopes:
            return set()
        if approval is None or not approval.is_for(request):
            return {"STEP_UP_REQUIRED"}
        return self.against_deciding(approval) or (
            set() if approval.approved else {"STEP_UP_REQUIRED"}
        )

    def against_deciding(self, approval: Approval) -> set[str]:
        """Why the approval can no longer be given."""
        if approval.used:
            return {"APPROVAL_CONSUMED"}
        if approval.rejected:
            return {"APPROVAL_REJECTED"}
        return {"APPROVAL_EXPIRED"} if approval.ends <= self.now else set()

    def waiting(self, request: Request) -> Approval | None:
        """The approval that the request can still be released by."""
        usable = (each for each in self.approvals if not self.against_deciding(each))
        return next((each for each in usable if each.is_for(request)), None)

    def end_of(self, request: Request) -> float:
        """When the mandate for the request ends: with the first thing that it stands on."""
        wanted = self.now + min(max(request.life or USUAL, SHORTEST), LONGEST[request.resource])
        behind = request.behind.ends if request.behind else math.inf
        return min(wanted, behind, *(each.ends for each in request.lineage()))
