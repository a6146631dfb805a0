"""The way in: a request to the service behind the proxy goes on under its mandate or not at all."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from caracal_grpc.interceptors.client.attachment import AUTHORIZATION
from caracal_grpc.mesh.answers.answer import Allowed
from caracal_grpc.mesh.arrivals import Arrivals
from caracal_grpc.mesh.claims import rewritten, untrusted
from caracal_grpc.mesh.judging import Judged, Judging
from caracal_grpc.mesh.question import Question

_BEARER: Final = "bearer"


class InboundWay:
    """Verifies the mandate of each request and tells the upstream whose it is.

    The upstream sees no claim of identity but ours. `keep` names others that a proxy on the way
    vouches for, such as `x-forwarded-client-cert`; none of ours. Without `forward` no bearer token
    goes on, so that the upstream cannot act on behalf of its caller. `arrivals` remember what was
    let through.
    """

    def __init__(
        self,
        judging: Judging,
        *,
        keep: Collection[str] = (),
        forward: bool = True,
        arrivals: Arrivals | None = None,
    ) -> None:
        self._judging = judging
        self._keep = frozenset(name.lower() for name in keep if "caracal" not in name.lower())
        self._forward = forward
        self._arrivals = arrivals

    async def answer(self, question: Question) -> Allowed:
        """What goes on; raises the refusal."""
        judged = await self._judging.judge(question)
        gone = untrusted(question.headers, judged.inbound)
        if self._keep:
            gone -= self._keep
        if not self._forward and _is_bearer(question):
            gone |= {AUTHORIZATION}
        if self._arrivals is not None:
            _note(self._arrivals, question, judged)
        return Allowed(
            headers=rewritten(question.headers, judged.inbound),
            remove=gone,
            mandate=judged.mandate,
            decision_id=judged.decision_id,
            cache_seconds=judged.cache_seconds,
            life=judged.life,
            introduces=True,
        )


def _is_bearer(question: Question) -> bool:
    """Whether a token is shown; what is public looks at none, and may be shown a mandate."""
    shown = question.headers.one(AUTHORIZATION)
    return shown.lstrip().partition(" ")[0].lower() == _BEARER


def _note(arrivals: Arrivals, question: Question, judged: Judged) -> None:
    if judged.mandate is None:
        arrivals.note_public(question)
    else:
        arrivals.note(question, judged.token, judged.mandate)
