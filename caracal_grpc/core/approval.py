"""Approvals: requests that policy holds until reviewers, or a proof, release them.

What an approval is follows from its record and the time alone, by one function, `Approval.state`.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

from caracal_grpc.core.approval_terms import Terms
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import SubjectType
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.user import User

ApprovalState = Literal["pending", "approved", "rejected", "expired", "consumed"]

PROOF: Final = "proof:"
"""What the subject of a vote begins with that a proof gave; no id of a reviewer does."""


@dataclass(frozen=True, slots=True)
class Vote:
    """What one reviewer said, who called with `application`; `time` is in Unix seconds.

    `zone` and `kid` are of the key that signed the mandate which they called with, when it is that
    which counts.
    """

    application: str
    subject: str
    approved: bool
    reason: str
    time: float
    zone: str = ""
    kid: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """A request that policy holds: who asks, what for, and in whose lineage.

    `binding` is what is approved (`binding_of`). `parties` are all ids of the lineage: its
    applications, subjects, sessions and delegations.
    """

    zone: str
    application: str
    application_name: str
    subject: str
    subject_type: SubjectType
    user: User | None
    resource: str
    scopes: tuple[str, ...]
    session: str
    actor_chain: tuple[str, ...]
    parties: tuple[str, ...]
    context: Mapping[str, str]
    policy_version: str
    policy_reasons: tuple[str, ...]
    binding: str
    audit_id: str

    def to_value(self) -> dict[str, Any]:
        """The JSON form for the store."""
        value = {name: getattr(self, name) for name in self.__slots__}
        lists = {name: list(value[name]) for name in _LISTS}
        user = self.user.to_value() if self.user else None
        return {**value, **lists, "user": user, "context": dict(self.context)}

    @staticmethod
    def from_value(value: Mapping[str, Any]) -> Held:
        """The request that `to_value` wrote."""
        known = {name: value[name] for name in Held.__slots__}
        lists = {name: tuple(known[name]) for name in _LISTS}
        user = User(**known["user"]) if known["user"] else None
        return Held(**{**known, **lists, "user": user})


_LISTS: Final = ("scopes", "actor_chain", "parties", "policy_reasons")


@dataclass(frozen=True, slots=True)
class Approval:
    """A held request and what was said about it. Times are in Unix seconds.

    `undelivered` are the webhooks that have not heard of it.
    """

    id: str
    held: Held
    terms: Terms
    created_at: float
    expires_at: int
    nonce: str = ""
    votes: tuple[Vote, ...] = ()
    consumed_at: float | None = None
    undelivered: tuple[str, ...] = ()

    def state(self, now: float) -> ApprovalState:
        """What the approval is at `now`. What it was used for, or refused, it stays."""
        if self.consumed_at is not None:
            return "consumed"
        if not all(vote.approved for vote in self.votes):
            return "rejected"
        if self.expires_at <= now:
            return "expired"
        return "approved" if self._is_released() else "pending"

    def voted(self, vote: Vote) -> Approval:
        """With one more vote, unless it changes nothing.

        A reviewer's second approval is no second vote, and one beyond those that it needs is none.
        """
        released, again = self._is_released(), vote.subject in self._approvers()
        if vote.approved and (released or again):
            return self
        return replace(self, votes=(*self.votes, vote))

    def without(self, is_compromised: Callable[[str, str], bool]) -> Approval:
        """Less the votes of who may not have been who they seemed: `is_compromised(zone, kid)`."""
        kept = tuple(vote for vote in self.votes if not is_compromised(vote.zone, vote.kid))
        return self if len(kept) == len(self.votes) else replace(self, votes=kept)

    def consumed(self, now: float) -> Approval:
        """As used at `now`."""
        return replace(self, consumed_at=now)

    def told(self, webhook: str) -> Approval:
        """As one of which the webhook has heard."""
        left = tuple(name for name in self.undelivered if name != webhook)
        return replace(self, undelivered=left)

    def _approvers(self) -> set[str]:
        return {vote.subject for vote in self.votes if vote.approved}

    def _is_released(self) -> bool:
        approvers = self._approvers()
        proven = any(subject.startswith(PROOF) for subject in approvers)
        return proven or len(approvers) >= self.terms.reviews

    def to_value(self) -> dict[str, Any]:
        """The JSON form for the store."""
        return {
            "id": self.id,
            "held": self.held.to_value(),
            "terms": self.terms.to_value(),
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "nonce": self.nonce,
            "votes": [asdict(vote) for vote in self.votes],
            "consumed_at": self.consumed_at,
            "undelivered": list(self.undelivered),
        }

    @staticmethod
    def from_value(value: Mapping[str, Any]) -> Approval:
        """The approval that `to_value` wrote."""
        return Approval(
            id=value["id"],
            held=Held.from_value(value["held"]),
            terms=Terms.from_value(value["terms"]),
            created_at=value["created_at"],
            expires_at=value["expires_at"],
            nonce=value["nonce"],
            votes=tuple(Vote(**vote) for vote in value["votes"]),
            consumed_at=value["consumed_at"],
            undelivered=tuple(value["undelivered"]),
        )


def binding_of(facts: Mapping[str, Any]) -> str:
    """The SHA-256 over `facts` as canonical JSON, base64url: equal facts have equal bindings.

    Canonical: members sorted, no blanks. `facts` hold texts, whole numbers, truths, `None`, lists
    and objects of these.
    """
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    digest = hashlib.sha256(text.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def approval_ended(approval: str, state: ApprovalState) -> CaracalError:
    """The refusal of an approval that is rejected, expired or consumed."""
    reason, text = _ENDED[state]
    return CaracalError(reason, text, metadata={"approval_id": approval})


_ENDED: Final[Mapping[str, tuple[Reason, str]]] = {
    "rejected": (Reason.APPROVAL_REJECTED, "a reviewer rejected this; do not ask for the same"),
    "expired": (Reason.APPROVAL_EXPIRED, "the approval expired; send the request without it"),
    "consumed": (Reason.APPROVAL_CONSUMED, "the approval was used; send the request without it"),
}
