"""What would make allowed what was refused, tried on policy wherever policy decides it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from caracal_grpc.authority.explaining.explanation import Remedy
from caracal_grpc.authority.policies.content import Content
from caracal_grpc.authority.policies.versions import Versions
from caracal_grpc.authority.trials.candidates import Candidate, Candidates
from caracal_grpc.core.answer import Answer, reach_of
from caracal_grpc.core.entry import Entry
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason

MAX_SINGLE: Final = 16
"""Scopes that are each asked for by itself."""

_ADVICE: Final[Mapping[Reason, tuple[Remedy, ...]]] = {
    Reason.MANDATE_MISSING: (Remedy("caller", "exchange for a mandate and attach it"),),
    Reason.MANDATE_MALFORMED: (Remedy("caller", "exchange anew and attach exactly one mandate"),),
    Reason.MANDATE_SIGNATURE_INVALID: (Remedy("caller", "exchange anew at this authority"),),
    Reason.KEY_UNKNOWN: (Remedy("caller", "exchange anew: the key that signed is retired"),),
    Reason.MANDATE_EXPIRED: (Remedy("caller", "exchange anew, at 80 % of its life at the latest"),),
    Reason.MANDATE_NOT_YET_VALID: (Remedy("operator", "set the clock of the edge"),),
    Reason.MANDATE_LIFETIME_EXCEEDED: (Remedy("caller", "exchange for a shorter life"),),
    Reason.ISSUER_MISMATCH: (Remedy("caller", "exchange at the authority that the edge trusts"),),
    Reason.ZONE_MISMATCH: (Remedy("caller", "exchange in the zone of the edge"),),
    Reason.AUDIENCE_MISMATCH: (Remedy("caller", "exchange for the resource that is called"),),
    Reason.USE_MISMATCH: (Remedy("caller", "exchange for a mandate of the other use"),),
    Reason.BINDING_MISMATCH: (
        Remedy("caller", "call with the certificate that it is bound to, or exchange with bind"),
    ),
    Reason.MANDATE_REVOKED: (
        Remedy("operator", "see what was revoked and why; a new exchange fails while it stands"),
    ),
    Reason.MANDATE_REPLAYED: (Remedy("caller", "exchange for a mandate for each call"),),
    Reason.CLIENT_AUTH_FAILED: (
        Remedy("caller", "check the profile; the entry's proof_cause says what was wrong"),
        Remedy("operator", "make another credential, unless the application is disabled"),
    ),
    Reason.SUBJECT_TOKEN_INVALID: (Remedy("caller", "obtain a fresh subject token"),),
    Reason.ACTOR_TOKEN_INVALID: (Remedy("caller", "leave the actor token out, or send your own"),),
    Reason.SCOPE_INSUFFICIENT: (
        Remedy("caller", "ask for scopes that the resource has and the subject token holds"),
    ),
    Reason.METHOD_NOT_DECLARED: (Remedy("operator", "declare a rule for the method"),),
    Reason.CEILING_EXCEEDED: (
        Remedy("caller", "ask for what the ceilings leave, or start a session with a wider one"),
    ),
    Reason.DELEGATION_REQUIRED: (Remedy("caller", "send the mandate of whom you act for"),),
    Reason.CHAIN_MISMATCH: (Remedy("caller", "come by way of the applications that must act"),),
    Reason.HOPS_EXCEEDED: (
        Remedy("caller", "come by a shorter way"),
        Remedy("operator", "raise max_hops of the zone or of the delegation"),
    ),
    Reason.ACTOR_FORBIDDEN: (
        Remedy("operator", "let may_act of the resource name the application and the subject"),
    ),
    Reason.APPROVAL_REJECTED: (Remedy("reviewer", "approve a new request of the caller"),),
    Reason.APPROVAL_EXPIRED: (Remedy("caller", "send the request without it for a new approval"),),
    Reason.APPROVAL_CONSUMED: (Remedy("caller", "send the request without it for a new approval"),),
    Reason.NO_ACTIVE_POLICY: (Remedy("operator", "activate a policy in the zone"),),
    Reason.SESSION_NOT_ACTIVE: (Remedy("caller", "start a new session, or wait for its resume"),),
    Reason.LEASE_FENCED: (Remedy("caller", "stop: another holder has the service session"),),
    Reason.ZONE_FROZEN: (Remedy("operator", "unfreeze the zone"),),
    Reason.OBJECT_NOT_FOUND: (Remedy("operator", "declare the resource in the zone"),),
    Reason.RATE_LIMITED: (
        Remedy("caller", "come back later, and keep mandates for as long as they live"),
        Remedy("operator", "raise the limits of the zone"),
    ),
    Reason.LIMIT_EXCEEDED: (Remedy("caller", "ask for less at once"),),
    Reason.MANDATE_TOO_LARGE: (Remedy("caller", "ask for fewer scopes, or come by fewer hops"),),
    Reason.POLICY_FAILED: (Remedy("operator", "mend the policy: it gave no usable answer"),),
    Reason.ISSUER_UNAVAILABLE: (Remedy("operator", "let the issuer tell its keys"),),
    Reason.KEY_STATE_CONFLICT: (Remedy("operator", "give the zone a key that signs"),),
    Reason.CONFLICT: (Remedy("caller", "choose a request id of its own for each request"),),
    Reason.AUTHORITY_STALE: (Remedy("caller", "try again with backoff"),),
    Reason.STORE_UNAVAILABLE: (Remedy("caller", "try again with backoff"),),
    Reason.ZONE_FORBIDDEN: (Remedy("caller", "ask in your own zone"),),
    Reason.PROOF_INVALID: (Remedy("reviewer", "obtain a fresh proof for this approval"),),
}
"""What to do about a refusal that policy did not decide."""


async def remedies_for(
    candidates: Candidates, versions: Versions, entry: Entry
) -> tuple[Remedy, ...]:
    """What would make `entry` allowed, the least first; empty when it was not refused.

    Raises `POLICY_FAILED` and `STORE_UNAVAILABLE` when policy cannot be asked now.
    """
    if entry.decision != "deny" or not entry.reason:
        return ()
    reason = Reason(entry.reason)
    if reason is Reason.STEP_UP_REQUIRED:
        return _approval(entry)
    if reason is Reason.POLICY_DENIED:
        return await _policy(candidates, versions, entry)
    left = entry.narrowing[-1].kept if entry.narrowing else ()
    less = (Remedy("caller", f"ask for {' '.join(left)} only"),) if left else ()
    return less + _ADVICE.get(reason, ())


def _approval(entry: Entry) -> tuple[Remedy, ...]:
    approval = entry.details.get("approval") or "the approval that is held"
    text = f"send the same request with approval_id {approval}"
    return (Remedy("reviewer", f"approve {approval}"), Remedy("caller", f"after that, {text}"))


async def _policy(candidates: Candidates, versions: Versions, entry: Entry) -> tuple[Remedy, ...]:
    """What the version that refused says to less, and the built-in policy to one grant more."""
    general = Remedy("operator", "change the policy so that it grants this")
    if not entry.question or not entry.policy_version:
        return (general,)
    question = json.loads(entry.question)
    try:
        content = await versions.load(entry.zone, entry.policy_version)
        less = await _less(candidates, entry, question)
        more = await _granted(candidates, entry, content, question)
    except CaracalError as error:
        if error.reason is not Reason.OBJECT_NOT_FOUND:
            raise
        return (general,)
    return (*less, *more) or (general,)


async def _less(
    candidates: Candidates, entry: Entry, question: dict[str, Any]
) -> tuple[Remedy, ...]:
    """The scopes that the policy would have granted of what was asked for."""
    named, reach = reach_of(question)
    given: set[str] = set()
    async with candidates.opened(entry.zone, Candidate(entry.policy_version)) as policy:
        for scope in sorted(named)[:MAX_SINGLE]:
            asked = {**question, "requested_scopes": [scope]}
            explained = await policy.explain(json.dumps(asked, separators=(",", ":")))
            decision = explained.decision
            if decision and Answer.of(decision, frozenset({scope}), reach).decision == "allow":
                given.add(scope)
    if not given or given == named:
        return ()
    return (Remedy("caller", f"ask for {' '.join(sorted(given))} only", tried=True),)


async def _granted(
    candidates: Candidates, entry: Entry, content: Content, question: dict[str, Any]
) -> tuple[Remedy, ...]:
    """One grant that does it, when the built-in policy decides."""
    if content.modules:
        return ()
    grant = _grant(question)
    wider = replace(content, grants=(*content.grants, grant), tests={})
    async with candidates.opened(entry.zone, Candidate(content=wider)) as policy:
        explained = await policy.explain(entry.question)
    answer = explained.decision and Answer.of(explained.decision, *reach_of(question))
    if not answer or answer.decision != "allow":
        return ()
    text = f"grant {grant['application']} {' '.join(grant['scopes'])} on {grant['resource']}"
    for whom in (*grant.get("subjects", ()), *grant.get("users", ())):
        text += f" on behalf of {whom}"
    return (Remedy("operator", text, tried=True),)


def _grant(question: dict[str, Any]) -> dict[str, Any]:
    """The grant of just what was asked for, to who asked, for whom they asked."""
    resource, subject = question["resource"], question["subject"]
    acts = question.get("actor") is not None or subject["id"] != question["principal"]["id"]
    grant = {
        "application": question["principal"]["name"],
        "resource": resource["name"],
        "scopes": question["requested_scopes"] or resource["scopes"],
    }
    if acts:
        grant["users" if subject["type"] == "user" else "subjects"] = [subject["name"]]
    return grant
