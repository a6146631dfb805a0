"""The way in: a request to the service behind the proxy goes on under its mandate or not at all."""

from __future__ import annotations

import re
from collections.abc import Collection
from collections.abc import Set as AbstractSet
from typing import Final

from caracal_grpc.interceptors.context.inbound import IDENTITY_METADATA, Inbound
from caracal_grpc.mesh.answers.answer import Allowed
from caracal_grpc.mesh.answers.identity import DECISION_ID, NAMES, identity
from caracal_grpc.mesh.headers import Entries, Headers, as_variable
from caracal_grpc.mesh.judging import Judged, Judging
from caracal_grpc.mesh.question import Question
from caracal_grpc.mesh.recent import Recent

AUTHORIZATION: Final = "authorization"

OVERRIDES: Final = frozenset(
    {
        "forwarded",
        "x-forwarded-host",
        "x-host",
        "x-http-host-override",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
        "x-original-uri",
        "x-original-url",
        "x-rewrite-url",
        "x-envoy-auth-failure-mode-allowed",
        "x-envoy-original-dst-host",
        "x-envoy-original-path",
    }
)
"""Names by which some servers take a request for another one than that which was judged, or some
proxies send it elsewhere."""

_ODD: Final = re.compile(r"[^a-z0-9-]")
_VARIABLES: Final = frozenset(map(as_variable, OVERRIDES | IDENTITY_METADATA))


class InboundWay:
    """Verifies the mandate of each request and tells the upstream whose it is.

    The upstream sees no claim of identity but ours. `keep` names others that a proxy on the way
    vouches for, such as `x-forwarded-client-cert`; none of ours. Without `forward` the mandate
    itself ends here, too, and the upstream cannot act on behalf of its caller.
    """

    def __init__(
        self, judging: Judging, *, keep: Collection[str] = (), forward: bool = True
    ) -> None:
        self._judging = judging
        self._keep = frozenset(name.lower() for name in keep if "caracal" not in name.lower())
        self._forward = forward
        self._identities: Recent[Entries] = Recent()

    async def answer(self, question: Question) -> Allowed:
        """What goes on; raises the refusal."""
        judged = await self._judging.judge(question)
        gone = untrusted(question.headers, judged.inbound)
        if self._keep:
            gone -= self._keep
        if not self._forward and judged.mandate is not None:
            gone |= {AUTHORIZATION}
        return Allowed(
            headers=(*self._told(judged), *rewritten(question.headers, judged.inbound)),
            remove=gone,
            mandate=judged.mandate,
            decision_id=judged.decision_id,
            cache_seconds=judged.cache_seconds,
            life=judged.life,
        )

    def _told(self, judged: Judged) -> Entries:
        """What the upstream is told of who calls."""
        if judged.mandate is None:
            return ()
        told = self._identities.get(judged.mandate)
        if told is None:
            told = self._identities.put(judged.mandate, identity(judged.mandate))
        return (*told, (DECISION_ID, judged.decision_id))


def untrusted(headers: Headers, inbound: Inbound) -> frozenset[str]:
    """The names of what an upstream must not see of `headers`, and of all that could be ours.

    Those are claims of identity, as a guard takes them away from a handler, and what makes some
    servers serve another request than the one that was judged.
    """
    gone = _misleading(headers.names)
    if inbound.metadata is not headers.entries:
        gone |= headers.names - {name for name, _ in inbound.metadata}
    return NAMES | gone if gone else NAMES


def _misleading(names: AbstractSet[str]) -> AbstractSet[str]:
    """Those of `names` that say what another request is, or who calls, however they are spelt."""
    if _ODD.search("".join(names)) is None:
        return names & OVERRIDES
    return {name for name in names if as_variable(name) in _VARIABLES}


def rewritten(headers: Headers, inbound: Inbound) -> tuple[tuple[str, str], ...]:
    """The headers of which only a part was a claim, without that part."""
    if inbound.metadata is headers.entries:
        return ()
    had = set(headers)
    return tuple(entry for entry in inbound.metadata if entry not in had)
