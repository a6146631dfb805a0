"""Reading the ledger: search, checkpoints, and how one decision came about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from caracal_grpc.authority.audit.edge_decisions import KIND
from caracal_grpc.authority.exchange.case import BOUND_TO
from caracal_grpc.authority.keys.signers import Signers, ledger_issuer
from caracal_grpc.authority.state.access import require_zone
from caracal_grpc.authority.state.floor import issued_before
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.core.entry import Detail, Entry
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.note import verifier_key
from caracal_grpc.ledger.port import Checkpoint, Filter, Ledger, Page, Stored


@dataclass(frozen=True, slots=True)
class ExplainStep:
    """One step of a decision: what was applied, what it did, and the scopes that remained."""

    by: str
    text: str
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """An entry with the way to it. `dead_by` is empty while the mandate that it issued lives.

    `issuer` is that of the zone.
    """

    stored: Stored
    entry: Entry
    steps: tuple[ExplainStep, ...]
    alive: bool
    dead_by: str
    issuer: str

    @property
    def grants(self) -> bool:
        """Whether the entry issued a mandate."""
        return _grants(self.entry)


class Audit:
    """Reads the ledger of a zone for those who may."""

    def __init__(self, ledger: Ledger, state: State, signers: Signers, clock: Clock) -> None:
        self._ledger = ledger
        self._state = state
        self._signers = signers
        self._clock = clock

    async def search(
        self, caller: Mandate, zone: str, query: Filter, page_size: int, page_token: str
    ) -> Page:
        """One page of what `query` finds; raises `FIELD_INVALID`, `ZONE_FORBIDDEN`."""
        self._require(caller, zone)
        return await self._ledger.search(
            zone, query, page_size=page_size or 100, page_token=page_token
        )

    async def checkpoint(self, caller: Mandate, zone: str) -> tuple[Checkpoint, str]:
        """The newest signed checkpoint of the zone, and the key that verifies it."""
        self._require(caller, zone)
        checkpoint = await self._ledger.checkpoint(zone)
        return checkpoint, verifier_key(self._signers(zone))

    async def explain(
        self, caller: Mandate, zone: str, *, audit_id: str = "", jti: str = "", request_id: str = ""
    ) -> Explanation:
        """How the entry that is named by one of the ids came about, and whether its grant lives.

        Raises `OBJECT_NOT_FOUND`, `FIELD_INVALID` unless exactly one id is given, and
        `AUDIT_UNAVAILABLE` when the entry's bytes are no longer those that were recorded.
        """
        issuer = self._require(caller, zone)
        stored = await self._find(zone, audit_id, jti, request_id)
        entry = stored.entry
        if entry is None or not stored.intact:
            raise CaracalError(
                Reason.AUDIT_UNAVAILABLE,
                "the entry is not what was recorded; run caracal-grpc audit verify",
            )
        dead_by = self._dead_by(zone, entry)
        alive = _grants(entry) and not dead_by
        return Explanation(stored, entry, _steps(entry), alive, dead_by, issuer)

    def _require(self, caller: Mandate, zone: str) -> str:
        """The issuer of the zone, which may have been removed: operators read on what it did."""
        require_zone(caller, zone)
        return ledger_issuer(self._state, zone)

    async def _find(self, zone: str, audit_id: str, jti: str, request_id: str) -> Stored:
        if audit_id:
            found = await self._ledger.get(zone, audit_id)
        else:
            query = Filter(
                jti=jti,
                request_id=request_id,
                type="exchange" if jti else "",
                newest_first=True,
            )
            page = await self._ledger.search(zone, query, page_size=1)
            found = page.entries[0] if page.entries else None
        if found is None:
            raise not_found("entry", audit_id or jti or request_id)
        return found

    def _dead_by(self, zone: str, entry: Entry) -> str:
        """What the entry granted is dead by: a revoked anchor, the zone when its floor is above it,
        an ended session, or `expired`.
        """
        if not _grants(entry):
            return ""
        lineage = _lineage(entry)
        anchors = {entry.jti, entry.application, entry.subject, *entry.actor_chain, *lineage}
        anchors.add(str(entry.details.get("key", "")))
        dead = sorted(anchors & self._state.dead(zone))
        if dead:
            return dead[0]
        if _issued_at(entry) < issued_before(self._state, zone):
            return zone
        for each in lineage:
            session = self._state.find_session(zone, each)
            if session is not None and session.terminated_at is not None:
                return each
        return "expired" if entry.expires_at <= self._clock.now() else ""


def _issued_at(entry: Entry) -> float:
    """The second that the mandate says; of an entry that does not hold it, when it was written."""
    said = entry.details.get("issued_at")
    return said if isinstance(said, int) else entry.time_ms / 1000


def bound_to(entry: Entry) -> str:
    """The thumbprint of the certificate that the grant is bound to; empty when it is not bound."""
    return str(entry.details.get(BOUND_TO, ""))


def _lineage(entry: Entry) -> tuple[str, ...]:
    """Every session that the grant stands on, root first."""
    named = entry.details.get("lineage", ())
    others = named if isinstance(named, tuple) else ()
    return tuple(dict.fromkeys((entry.root_session, *others, entry.session)))


def _grants(entry: Entry) -> bool:
    return entry.type == "exchange" and entry.decision == "allow"


def _steps(entry: Entry) -> tuple[ExplainStep, ...]:
    if entry.type == KIND:
        return _edge_steps(entry)
    asked = " ".join(entry.requested_scopes) or "all that is granted"
    steps = [ExplainStep("request", f"{_who(entry)} asked for {asked} on {entry.resource}")]
    if entry.type != "exchange":
        steps = [ExplainStep(entry.type, _details(entry))]
    for index, narrowing in enumerate(entry.narrowing):
        text = "these scopes exist and were asked for" if index == 0 else "this remained"
        steps.append(ExplainStep(narrowing.by, text, narrowing.kept))
    if entry.policy_version and entry.type == "exchange":
        said = ", ".join(entry.policy_reasons) or "no reasons given"
        steps.append(ExplainStep(f"policy {entry.policy_version}", said))
    steps.append(ExplainStep("outcome", _outcome(entry), entry.granted_scopes))
    return tuple(steps)


def _edge_steps(entry: Entry) -> tuple[ExplainStep, ...]:
    """What an edge reported, each step as its word."""
    said = entry.details
    caller = entry.application or "a caller without a mandate"
    asks = f"asks for {entry.resource}" if entry.resource else "has no rule"
    steps = [ExplainStep("request", f"{caller} called {said.get('method')}, which {asks}")]
    if entry.jti:
        text = f"the call carried {entry.jti}, granted in {said.get('mandate_audit_id')}"
        steps.append(ExplainStep("mandate", text))
    reported = f"{said.get('edge')} decided at {_moment(said.get('decided_at'))} by its own clock"
    steps.append(ExplainStep("edge", f"{reported}, sampling rate {said.get('sampling_rate')}"))
    if "dropped" in said:
        steps.append(ExplainStep("edge", f"it had to drop {said['dropped']} decisions before"))
    outcome = f"refused: {entry.reason}" if entry.reason else "let in"
    return (*steps, ExplainStep("outcome", outcome))


def _moment(time_ms: object) -> str:
    seconds = time_ms / 1000 if isinstance(time_ms, int) else 0
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _who(entry: Entry) -> str:
    actor = entry.application_name or entry.application or "an unknown application"
    if entry.actor_chain:
        hops = "1 hop" if entry.hops == 1 else f"{entry.hops} hops"
        return f"{actor} on behalf of {entry.subject}, {hops} from it,"
    return actor


def _details(entry: Entry) -> str:
    facts = (f"{name.replace('_', ' ')}: {_text(entry.details[name])}" for name in entry.details)
    return f"{entry.application or 'the authority itself'}: {', '.join(facts)}"


def _text(value: Detail) -> str:
    return str(value) if isinstance(value, str | int) else "; ".join(value)


def _outcome(entry: Entry) -> str:
    if entry.decision == "deny":
        return f"refused: {entry.reason}"
    if entry.decision != "allow":
        return "done"
    certificate = bound_to(entry)
    return f"granted, bound to the certificate {certificate}" if certificate else "granted"
