"""The way to one decision, step by step, as its entry tells it."""

from __future__ import annotations

from datetime import UTC, datetime

from caracal_grpc.authority.audit.edge_decisions import KIND
from caracal_grpc.authority.explaining.explanation import ExplainStep
from caracal_grpc.authority.explaining.life import bound_to
from caracal_grpc.core.entry import Detail, Entry


def steps_of(entry: Entry) -> tuple[ExplainStep, ...]:
    """The steps, in order; the last one is the outcome."""
    if entry.type == KIND:
        return _edge_steps(entry)
    if entry.type != "exchange":
        steps = [ExplainStep(entry.type, told(entry))]
    else:
        asked = " ".join(entry.requested_scopes) or "all that is granted"
        text = f"{who(entry)} asked for {asked} on {entry.resource}"
        steps = [ExplainStep("request", text)]
    for index, narrowing in enumerate(entry.narrowing):
        text = "these scopes exist and were asked for" if index == 0 else "this remained"
        steps.append(ExplainStep(narrowing.by, text, narrowing.kept))
    if entry.policy_version and entry.type == "exchange":
        said = ", ".join(entry.policy_reasons) or "no reasons given"
        steps.append(ExplainStep(f"policy {entry.policy_version}", said))
    steps.append(ExplainStep("outcome", outcome(entry), entry.granted_scopes))
    return tuple(steps)


def who(entry: Entry) -> str:
    """Who asked, and on whose behalf, in words."""
    actor = entry.application_name or entry.application or "an unknown application"
    if entry.actor_chain:
        hops = "1 hop" if entry.hops == 1 else f"{entry.hops} hops"
        return f"{actor} on behalf of {entry.subject}, {hops} from it,"
    return actor


def told(entry: Entry) -> str:
    """Who did it, and its details, in words."""
    facts = (f"{name.replace('_', ' ')}: {_text(entry.details[name])}" for name in entry.details)
    return f"{entry.application or 'the authority itself'}: {', '.join(facts)}"


def outcome(entry: Entry) -> str:
    """How it ended, in words."""
    if entry.decision == "deny":
        return f"refused: {entry.reason}"
    if entry.decision != "allow":
        return "done"
    certificate = bound_to(entry)
    return f"granted, bound to the certificate {certificate}" if certificate else "granted"


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
    ending = f"refused: {entry.reason}" if entry.reason else "let in"
    return (*steps, ExplainStep("outcome", ending))


def _moment(time_ms: object) -> str:
    seconds = time_ms / 1000 if isinstance(time_ms, int) else 0
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _text(value: Detail) -> str:
    return str(value) if isinstance(value, str | int) else "; ".join(value)
