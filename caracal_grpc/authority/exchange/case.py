"""One request on its way through the exchange, and what of it the ledger keeps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from caracal_grpc.authority.exchange.clients import PROOF_CAUSE
from caracal_grpc.authority.exchange.lineage import Lineage
from caracal_grpc.authority.exchange.replay import ReplayKey
from caracal_grpc.authority.workloads.proof import Proof
from caracal_grpc.core.answer import Answer
from caracal_grpc.core.application import Application
from caracal_grpc.core.ceiling import Step
from caracal_grpc.core.entry import MAX_QUESTION, Detail, Entry, Narrowing, plain_text
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.peer import Peer
from caracal_grpc.core.reason import Reason

BOUND_TO: Final = "bound_to"
"""The detail of an entry that names the certificate: its thumbprint, which is no secret."""


@dataclass(frozen=True, slots=True)
class ExchangeRequest:
    """What is asked of an exchange.

    `ttl` is a wish in seconds, `None` for the default: a larger one than may be is shortened, and
    one below `MIN_TTL` (5 s) is taken for that. `binding` is the thumbprint of the certificate that
    the caller's connection shows, when the mandate is to be bound to it; empty for an unbound one.
    `secret`, `assertion`, `peer` and `token_url` are the caller's `Proof`.
    """

    zone: str
    application: str
    secret: str | None = field(repr=False)
    resource: str
    scopes: frozenset[str] = frozenset()
    subject_token: str = field(default="", repr=False)
    session: str = ""
    ttl: int | None = None
    request_id: str = ""
    context: Mapping[str, str] = field(default_factory=dict)
    peer: Peer = field(default_factory=Peer)
    binding: str = ""
    actor_token: str = field(default="", repr=False)
    approval: str = ""
    generation: int = 0
    assertion: str | None = field(default=None, repr=False)
    token_url: str = ""

    @property
    def proof(self) -> Proof:
        """What the caller shows to authenticate."""
        return Proof(self.secret, self.assertion, self.peer, self.token_url)

    @property
    def key(self) -> ReplayKey:
        """What makes two requests with a request id the same one."""
        return self.zone, self.application, self.request_id

    def digest(self) -> bytes:
        """What the request asks, without who proves it: equal requests have equal digests."""
        asked = [
            self.resource,
            sorted(self.scopes),
            self.subject_token,
            self.session,
            self.ttl,
            sorted(self.context.items()),
            self.binding,
            self.actor_token,
            self.approval,
            self.generation,
        ]
        return hashlib.sha256(json.dumps(asked).encode()).digest()


@dataclass(frozen=True, slots=True)
class Issued:
    """A mandate and its token."""

    mandate: Mandate
    token: str = field(repr=False)


@dataclass(slots=True)
class Case:
    """What is known of one request so far; it becomes the ledger entry, whatever the outcome.

    `question` is what policy was asked, in the text in which it was asked, and `recordable` whether
    the ledger may keep it. `approval` is the one that the request waits for, or that releases it.
    `peer` is who asks, as far as that is proven; `refuted_by` is what was wrong with their proof.
    """

    request: ExchangeRequest
    audit_id: str
    peer: Peer = field(default_factory=Peer)
    refuted_by: str = ""
    application: Application | None = None
    lineage: Lineage | None = None
    steps: tuple[Step, ...] = ()
    policy_version: str = ""
    policy_reasons: tuple[str, ...] = ()
    question: str = ""
    recordable: bool = False
    answer: Answer | None = None
    approval: str = ""

    def digest(self) -> bytes:
        """What the request asks and who asks it: another peer of the application may get less."""
        asked, who = self.request.digest(), self.peer.identity
        return hashlib.sha256(asked + json.dumps(who).encode()).digest() if who else asked

    def facts(self) -> dict[str, Any]:
        """The fields of the entry that do not depend on the outcome."""
        request = self.request
        facts: dict[str, Any] = {
            "resource": plain_text(request.resource),
            "requested_scopes": tuple(plain_text(scope) for scope in sorted(request.scopes)),
            "request_id": plain_text(request.request_id),
            "narrowing": tuple(Narrowing(each.by, each.kept) for each in self.steps),
            "policy_version": self.policy_version,
            "policy_reasons": self.policy_reasons,
            "peer": plain_text(self.peer.address),
        }
        if self.application:
            facts["application"] = self.application.id
            facts["application_name"] = self.application.name
        if self.recordable:
            facts |= self._asked()
        if self.lineage:
            facts |= self.lineage.facts()
        facts["details"] = {**facts.get("details", {}), **self._told()}
        return facts

    def _told(self) -> dict[str, Detail]:
        """The details: how the caller authenticated, as whom, and what the mandate stands on."""
        told: dict[str, Detail] = {
            PROOF_CAUSE: self.refuted_by,
            BOUND_TO: self.request.binding,
            "approval": self.approval,
        }
        said = {name: detail for name, detail in told.items() if detail}
        return {**self.peer.to_details(), **said}

    def whole(self, entry: Entry) -> Entry:
        """The entry of this case with what policy was asked, for those who keep nothing."""
        return entry if self.recordable else replace(entry, **self._asked())

    def _asked(self) -> dict[str, Any]:
        if self.answer is None or len(self.question) > MAX_QUESTION:
            return {}
        return {"question": self.question, "answer": self.answer.to_text()}


def policy_refusal(case: Case, reason: Reason, text: str) -> CaracalError:
    """The refusal `reason` of the zone's policy, naming its version and what it said."""
    return CaracalError(
        reason,
        text,
        metadata={
            "policy_version": case.policy_version,
            "policy_reasons": " ".join(case.policy_reasons),
        },
    )


T = TypeVar("T")


def required(value: T | None) -> T:
    """A part of the case that an earlier step has set; its absence is a fault of this module."""
    if value is None:
        raise CaracalError(Reason.POLICY_FAILED, "the decision is incomplete")
    return value
