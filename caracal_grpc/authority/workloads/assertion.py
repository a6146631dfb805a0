"""Client assertions (RFC 7523 section 2.2): what kind one is, before anything of it is believed.

Each kind has its own keys, and is held to its own rules afterwards. So it does not matter that a
client says itself which kind it shows: of each other kind its assertion is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from caracal_grpc.authority.issuers.claims import KUBERNETES_CLAIM
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import APPLICATION, prefix_of
from caracal_grpc.core.peer import Method
from caracal_grpc.crypto.foreign_token import PLAIN_TYPES, ForeignToken, malformed

_TYPES: Final[Mapping[Method, frozenset[str]]] = {
    "own_key": PLAIN_TYPES
    | {"client-authentication+jwt", "application/client-authentication+jwt"},  # RFC 7523bis
    "jwt_svid": frozenset({"", "jwt", "jose"}),  # JWT-SVID section 2.3
    "kubernetes": PLAIN_TYPES,
}
"""What `typ` may say, in lower case: mandates and security events of ours say something else."""

_ANY_TYPE: Final = frozenset().union(*_TYPES.values())


@dataclass(frozen=True, slots=True)
class Assertion:
    """An assertion that is well-formed and of one kind, `method`; nothing of it is proven."""

    token: ForeignToken
    method: Method

    @classmethod
    def read(cls, text: str) -> Assertion:
        """Takes an assertion apart; raises `MANDATE_MALFORMED`, also for one of no kind."""
        token = ForeignToken.read(text, _ANY_TYPE)
        method = _kind(token.claimed)
        types = _TYPES.get(method)
        if types is None:
            raise malformed("it is neither of an application, nor a JWT-SVID, nor of Kubernetes")
        if token.typ not in types:
            raise malformed("its header has a typ of another kind of assertion")
        if method == "jwt_svid" and token.extra:
            raise malformed("its header has members that a JWT-SVID must not have")
        return cls(token, method)


def method_of(secret: str | None, assertion: str | None) -> Method:
    """How a client that shows this tries to authenticate."""
    if assertion is None:
        return "certificate" if secret is None else "secret"
    try:
        return Assertion.read(assertion).method
    except CaracalError:
        return "assertion"


def named_by(assertion: str) -> str:
    """The application that an assertion of its own key says it is of; unproven, empty for others.

    Over HTTP `client_id` may be left out beside such an assertion (RFC 7521 section 4.2).
    """
    try:
        read = Assertion.read(assertion)
    except CaracalError:
        return ""
    return str(read.token.claimed["sub"]) if read.method == "own_key" else ""


def _kind(claimed: Mapping[str, Any]) -> Method:
    subject = claimed.get("sub")
    if not isinstance(subject, str):
        return "assertion"
    if subject.startswith("spiffe://"):
        return "jwt_svid"
    if KUBERNETES_CLAIM in claimed:
        return "kubernetes"
    own = prefix_of(subject) == APPLICATION and claimed.get("iss") == subject
    return "own_key" if own else "assertion"
