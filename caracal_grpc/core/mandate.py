"""The mandate: its claims as a value, and the one way from claims to value and back.

The claim names are RFC 7519's, RFC 8693's (`act`), RFC 8705's (`cnf`), RFC 9493's
(`sub_id`) and the reference system's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from caracal_grpc.core.claims import Claims, malformed
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import MAX_HOPS, MAX_SESSION_DEPTH
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.user import User

Use = Literal["resource", "session"]
SubjectType = Literal["application", "user"]

_MAX_HIDDEN: Final = 3 * MAX_HOPS
_MAX_ANCESTORS: Final = MAX_SESSION_DEPTH * (MAX_HOPS + 1)


@dataclass(frozen=True, slots=True)
class Hop:
    """One passing-on of authority, named by the party that received it."""

    application: str
    session: str
    delegation: str | None = None


@dataclass(frozen=True, slots=True)
class Mandate:
    """A signed grant of scopes on one resource. Times are in seconds since the Unix epoch.

    `chain` goes from the root to the holder; it is empty when the subject acts itself. `ancestors`
    are the sessions above those that the other claims name. `user` is the subject when it is a
    person; their `name` is no claim. `kid` is the key that signed it. `hidden_hops` come before the
    chain and are not in it; `hidden` are the aliases of what they are made of.
    `anchors` is everything whose revocation kills it.
    """

    issuer: str
    zone: str
    use: Use
    resource: str
    scopes: frozenset[str]
    subject: str
    subject_type: SubjectType
    application: str
    session: str
    root_session: str
    jti: str
    issued_at: int
    expires_at: int
    policy_version: str
    audit_id: str
    kid: str
    chain: tuple[Hop, ...] = ()
    binding: str | None = None
    approval: str | None = None
    ancestors: tuple[str, ...] = ()
    user: User | None = None
    hidden_hops: int = 0
    hidden: tuple[str, ...] = ()
    anchors: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        lineage = [part for hop in self.chain for part in (hop.application, hop.session)]
        delegations = [hop.delegation for hop in self.chain if hop.delegation]
        own = [self.jti, self.kid, self.subject, self.application, self.session, self.root_session]
        above = [*lineage, *delegations, *self.ancestors, *self.hidden]
        anchors = tuple(dict.fromkeys([*own, *above]))
        object.__setattr__(self, "anchors", anchors)

    @property
    def hops(self) -> int:
        """How many times authority was passed on, counted from the chain itself and the hidden."""
        return self.hidden_hops + len(self.chain)


def to_claims(mandate: Mandate) -> dict[str, Any]:
    """The claims of `mandate`, in the names that travel; the inverse of `from_claims`."""
    claims: dict[str, Any] = {
        "iss": mandate.issuer,
        "sub": mandate.subject,
        "sub_type": mandate.subject_type,
        "aud": [mandate.resource],
        "target": [mandate.resource],
        "scope": " ".join(sorted(mandate.scopes)),
        "exp": mandate.expires_at,
        "iat": mandate.issued_at,
        "jti": mandate.jti,
        "zone_id": mandate.zone,
        "client_id": mandate.application,
        "sid": mandate.session,
        "root_sid": mandate.root_session,
        "use": mandate.use,
        "policy_version": mandate.policy_version,
        "audit_id": mandate.audit_id,
    }
    if mandate.chain:
        claims |= _lineage_claims(mandate)
    if mandate.binding:
        claims["cnf"] = {"x5t#S256": mandate.binding}
    if mandate.approval:
        claims["approval_id"] = mandate.approval
    if mandate.ancestors:
        claims["ancestor_sids"] = list(mandate.ancestors)
    if mandate.user:
        claims["sub_id"] = mandate.user.to_claim()
    return claims


def _lineage_claims(mandate: Mandate) -> dict[str, Any]:
    chain = mandate.chain
    path = [hop.delegation for hop in chain if hop.delegation]
    claims: dict[str, Any] = {
        "agent_session_id": chain[-1].session,
        "delegation_chain": [_hop_claim(hop) for hop in chain],
        "hop_count": mandate.hops,
        "act": _act_claim(chain),
    }
    if path:
        claims["delegation_path"] = path
    if chain[-1].delegation:
        claims["delegation_edge_id"] = chain[-1].delegation
    if mandate.hidden_hops:
        claims["hidden"] = {"hops": mandate.hidden_hops, "anchors": list(mandate.hidden)}
    return claims


def _hop_claim(hop: Hop) -> dict[str, str]:
    claim = {"application_id": hop.application, "agent_session_id": hop.session}
    return claim | ({"delegation_edge_id": hop.delegation} if hop.delegation else {})


def _act_claim(chain: tuple[Hop, ...]) -> dict[str, Any]:
    """RFC 8693 section 4.1: nested, the newest actor outermost."""
    act: dict[str, Any] = {}
    for hop in chain:
        act = {"sub": hop.application, "act": act} if act else {"sub": hop.application}
    return act


def from_claims(claims: Mapping[str, Any], kid: str) -> Mandate:
    """The mandate that `claims` describe, signed by `kid`.

    Raises `MANDATE_MALFORMED` when a claim is missing or of the wrong shape, and `CHAIN_MISMATCH`
    when the claims of the lineage contradict each other.
    """
    read = _Reader(claims)
    hidden_hops, hidden = read.hidden()
    mandate = Mandate(
        issuer=read.text("iss"),
        zone=read.text("zone_id"),
        use=read.choice("use", ("resource", "session")),
        resource=read.audience(),
        scopes=frozenset(read.text("scope", empty=True).split()),
        subject=read.text("sub"),
        subject_type=read.choice("sub_type", ("application", "user")),
        application=read.text("client_id"),
        session=read.text("sid"),
        root_session=read.text("root_sid"),
        jti=read.text("jti"),
        issued_at=read.time("iat"),
        expires_at=read.time("exp"),
        policy_version=read.text("policy_version"),
        audit_id=read.text("audit_id"),
        kid=kid,
        chain=read.chain(),
        binding=read.binding(),
        approval=read.optional("approval_id"),
        ancestors=read.texts("ancestor_sids", _MAX_ANCESTORS),
        user=read.user(),
        hidden_hops=hidden_hops,
        hidden=hidden,
    )
    if _LINEAGE_CLAIMS & claims.keys():
        _require_consistent(mandate, claims)
    return mandate


_LINEAGE_CLAIMS: Final = frozenset(
    {
        "act",
        "agent_session_id",
        "delegation_chain",
        "delegation_edge_id",
        "delegation_path",
        "hidden",
        "hop_count",
    }
)


def _require_consistent(mandate: Mandate, claims: Mapping[str, Any]) -> None:
    """Refuses a lineage that says two things: whoever reads only one claim must not be fooled."""
    chain = mandate.chain
    present = {name: claims[name] for name in _LINEAGE_CLAIMS & claims.keys()}
    if not chain or present != _lineage_claims(mandate):
        raise CaracalError(Reason.CHAIN_MISMATCH, "the claims of the lineage contradict each other")
    if chain[-1].application != mandate.application or chain[-1].session != mandate.session:
        raise CaracalError(Reason.CHAIN_MISMATCH, "the last hop is not the holder of the mandate")


class _Reader(Claims):
    """Reads the claims that are a mandate's own."""

    __slots__ = ()

    def audience(self) -> str:
        value = self._claims.get("aud")
        if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], str):
            malformed("aud")
        if self._claims.get("target") != value:
            malformed("target")
        return value[0]

    def binding(self) -> str | None:
        if "cnf" not in self._claims:
            return None
        value = self._claims["cnf"]
        # An unknown confirmation method must not read as "not bound" (RFC 7800 section 3.1).
        if not isinstance(value, dict) or set(value) != {"x5t#S256"}:
            malformed("cnf")
        return Claims(value).text("x5t#S256")

    def user(self) -> User | None:
        if "sub_id" not in self._claims:
            return None
        value = self._claims["sub_id"]
        if not isinstance(value, dict) or value.get("format") != "iss_sub" or len(value) != 3:
            malformed("sub_id")
        read = Claims(value)
        user = User(read.text("iss"), read.text("sub"))
        # `sub` is made of both; whoever reads only one of the two claims must not be fooled.
        if self._claims.get("sub_type") != "user" or self._claims.get("sub") != user.id:
            malformed("sub_id")
        return user

    def chain(self) -> tuple[Hop, ...]:
        value = self._claims.get("delegation_chain", [])
        if not isinstance(value, list) or len(value) > MAX_HOPS:
            malformed("delegation_chain")
        return tuple(_hop(item) for item in value)

    def hidden(self) -> tuple[int, tuple[str, ...]]:
        if "hidden" not in self._claims:
            return 0, ()
        value = self._claims["hidden"]
        if not isinstance(value, dict) or set(value) != {"hops", "anchors"}:
            malformed("hidden")
        hops = value["hops"]
        if type(hops) is not int or not 0 < hops <= MAX_HOPS:
            malformed("hidden")
        return hops, Claims(value).texts("anchors", _MAX_HIDDEN)


def _hop(item: object) -> Hop:
    if not isinstance(item, dict):
        malformed("delegation_chain")
    read = Claims(item)
    return Hop(
        read.text("application_id"),
        read.text("agent_session_id"),
        read.optional("delegation_edge_id"),
    )
