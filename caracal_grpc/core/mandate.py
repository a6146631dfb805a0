"""The mandate: its claims as a value, and the one way from claims to value and back.

The claim names are RFC 7519's, RFC 8693's (`act`), RFC 8705's (`cnf`) and the reference system's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NoReturn

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import MAX_HOPS, MAX_SESSION_DEPTH
from caracal_grpc.core.reason import Reason

Use = Literal["resource", "session"]
SubjectType = Literal["application", "user"]

_MAX_ID: Final = 256
_MAX_TIME: Final = 1 << 40
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
    are the sessions above those that the other claims name. `kid` is the key that signed it.
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
    anchors: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        lineage = [part for hop in self.chain for part in (hop.application, hop.session)]
        delegations = [hop.delegation for hop in self.chain if hop.delegation]
        own = [self.jti, self.kid, self.subject, self.application, self.session, self.root_session]
        anchors = tuple(dict.fromkeys([*own, *lineage, *delegations, *self.ancestors]))
        object.__setattr__(self, "anchors", anchors)

    @property
    def hops(self) -> int:
        """How many times authority was passed on, counted from the chain itself."""
        return len(self.chain)


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
        claims |= _lineage_claims(mandate.chain)
    if mandate.binding:
        claims["cnf"] = {"x5t#S256": mandate.binding}
    if mandate.approval:
        claims["approval_id"] = mandate.approval
    if mandate.ancestors:
        claims["ancestor_sids"] = list(mandate.ancestors)
    return claims


def _lineage_claims(chain: tuple[Hop, ...]) -> dict[str, Any]:
    path = [hop.delegation for hop in chain if hop.delegation]
    claims: dict[str, Any] = {
        "agent_session_id": chain[-1].session,
        "delegation_chain": [_hop_claim(hop) for hop in chain],
        "hop_count": len(chain),
        "act": _act_claim(chain),
    }
    if path:
        claims["delegation_path"] = path
    if chain[-1].delegation:
        claims["delegation_edge_id"] = chain[-1].delegation
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
        ancestors=read.ancestors(),
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
        "hop_count",
    }
)


def _require_consistent(mandate: Mandate, claims: Mapping[str, Any]) -> None:
    """Refuses a lineage that says two things: whoever reads only one claim must not be fooled."""
    chain = mandate.chain
    present = {name: claims[name] for name in _LINEAGE_CLAIMS & claims.keys()}
    if not chain or present != _lineage_claims(chain):
        raise CaracalError(Reason.CHAIN_MISMATCH, "the claims of the lineage contradict each other")
    if chain[-1].application != mandate.application or chain[-1].session != mandate.session:
        raise CaracalError(Reason.CHAIN_MISMATCH, "the last hop is not the holder of the mandate")


class _Reader:
    """Reads claims one by one, each in the one shape that it may have."""

    __slots__ = ("_claims",)

    def __init__(self, claims: Mapping[str, Any]) -> None:
        self._claims = claims

    def text(self, name: str, *, empty: bool = False) -> str:
        value = self._claims.get(name)
        limit = 4096 if name == "scope" else _MAX_ID
        if not isinstance(value, str) or len(value) > limit or not (value or empty):
            _malformed(name)
        return value

    def optional(self, name: str) -> str | None:
        return self.text(name) if name in self._claims else None

    def choice(self, name: str, values: tuple[Any, ...]) -> Any:
        value = self._claims.get(name)
        if value not in values:
            _malformed(name)
        return value

    def time(self, name: str) -> int:
        value = self._claims.get(name)
        if type(value) is not int or not 0 < value < _MAX_TIME:
            _malformed(name)
        return value

    def audience(self) -> str:
        value = self._claims.get("aud")
        if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], str):
            _malformed("aud")
        if self._claims.get("target") != value:
            _malformed("target")
        return value[0]

    def binding(self) -> str | None:
        if "cnf" not in self._claims:
            return None
        value = self._claims["cnf"]
        # An unknown confirmation method must not read as "not bound" (RFC 7800 section 3.1).
        if not isinstance(value, dict) or set(value) != {"x5t#S256"}:
            _malformed("cnf")
        return _Reader(value).text("x5t#S256")

    def ancestors(self) -> tuple[str, ...]:
        value = self._claims.get("ancestor_sids", [])
        if not isinstance(value, list) or len(value) > _MAX_ANCESTORS:
            _malformed("ancestor_sids")
        if not all(isinstance(item, str) and 0 < len(item) <= _MAX_ID for item in value):
            _malformed("ancestor_sids")
        return tuple(value)

    def chain(self) -> tuple[Hop, ...]:
        value = self._claims.get("delegation_chain", [])
        if not isinstance(value, list) or len(value) > MAX_HOPS:
            _malformed("delegation_chain")
        return tuple(_hop(item) for item in value)


def _hop(item: object) -> Hop:
    if not isinstance(item, dict):
        _malformed("delegation_chain")
    read = _Reader(item)
    return Hop(
        read.text("application_id"),
        read.text("agent_session_id"),
        read.optional("delegation_edge_id"),
    )


def _malformed(name: str) -> NoReturn:
    raise CaracalError(
        Reason.MANDATE_MALFORMED, f"the claim {name} is missing or of the wrong shape"
    )
