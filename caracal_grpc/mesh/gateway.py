"""The way through a gateway: a mandate goes in, and the upstream's real credential goes on.

The mandate ends here, and the caller never sees the credential. An upstream that answers with what
it was sent shows it to the caller all the same: put none behind a gateway that does. A session that
it begins is as good as the credential: its cookie does not come back through here, and a proxy has
to take it out of the answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.ids import require_slug
from caracal_grpc.interceptors.client.attachment import AUTHORIZATION
from caracal_grpc.interceptors.edge.upstreams import Released, unreleased
from caracal_grpc.interceptors.guard.gate import method_not_declared
from caracal_grpc.mesh.answers.answer import Allowed
from caracal_grpc.mesh.claims import rewritten, untrusted
from caracal_grpc.mesh.credentials import RELEASE_PATIENCE, Credentials
from caracal_grpc.mesh.headers import as_variable
from caracal_grpc.mesh.judging import Judged, Judging
from caracal_grpc.mesh.question import Question
from caracal_grpc.mesh.routes import ANY, Route

_SHOWN: Final = frozenset({AUTHORIZATION, "cookie", "proxy-authorization"})
"""By which a caller shows who it is, be it to us or to the upstream."""


@dataclass(frozen=True, slots=True)
class GatewayRoute:
    """Requests of `route` go on with the credential that the authority calls `upstream`.

    Those of a public route go on with none. Raises `FIELD_INVALID`, also for one that lends to
    every host: a proxy may send each of them elsewhere, and the credential along.
    """

    route: Route
    upstream: str = ""

    def __post_init__(self) -> None:
        place, public = f"{self.route.rule.method}.upstream", self.route.rule.public
        if self.upstream:
            require_slug(place, self.upstream)
        if public and self.upstream:
            raise field_invalid(place, "cannot go with public: nobody is lent it without a mandate")
        if not (public or self.upstream):
            raise field_invalid(place, "is missing; name the credential for the upstream")
        if self.upstream and ANY in self.route.hosts:
            text = (
                "must name the hosts by which the upstream is called; its credential is no other's"
            )
            raise field_invalid(f"{self.route.rule.method}.hosts", text)


class GatewayWay:
    """Verifies the mandate of each request, takes it away, and puts the credential in.

    The upstream learns nothing of who calls: it knows the gateway only.
    """

    def __init__(
        self, judging: Judging, routes: Iterable[GatewayRoute], credentials: Credentials
    ) -> None:
        """`judging` is by the routes in `routes`."""
        self._judging = judging
        self._upstreams = {name: each.upstream for each in routes for name in each.route.names}
        self._credentials = credentials

    async def answer(self, question: Question) -> Allowed:
        """What goes on; raises the refusal."""
        judged = await self._judging.judge(question)
        upstream = self._upstream(question, judged)
        gone = untrusted(question.headers, judged.inbound) | _SHOWN
        kept = rewritten(question.headers, judged.inbound)
        if judged.match.rule.public:
            return Allowed(headers=kept, remove=gone, decision_id=judged.decision_id)
        released = await self._released(question, judged, upstream)
        self._judging.require_still(question, judged)
        return Allowed(
            headers=(*kept, (released.name, released.value)),
            remove=gone | _alike(question, released.name),
            mandate=judged.mandate,
            decision_id=judged.decision_id,
        )

    def _upstream(self, question: Question, judged: Judged) -> str:
        """What is lent to the request; raises `METHOD_NOT_DECLARED` for one of no route.

        The services of gRPC itself are public where nobody says otherwise, but not through here.
        """
        upstream = self._upstreams.get(judged.match.rule.method)
        if upstream is None:
            self._judging.refuse(question, method_not_declared(judged.match.name))
        return upstream

    async def _released(self, question: Question, judged: Judged, upstream: str) -> Released:
        """The credential for the request; raises the refusal, recorded."""
        mandate = judged.mandate
        try:
            if mandate is None or not upstream:
                raise unreleased()
            timeout = min(RELEASE_PATIENCE, question.patience.authority())
            return await self._credentials.get(upstream, mandate.resource, judged.token, timeout)
        except CaracalError as error:
            if "audit_id" not in error.metadata:
                self._judging.refuse(question, error)
            error.metadata["decision_id"] = error.metadata["audit_id"]
            raise


def _alike(question: Question, name: str) -> frozenset[str]:
    """What the request has under `name`, or under one that some servers take for it."""
    known = as_variable(name)
    return frozenset(each for each in question.headers.names if as_variable(each) == known)
