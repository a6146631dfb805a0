"""Mandates that somebody hands on, and those that go out: judged like any other, by one verdict."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.core.edge_decision import EdgeDecision
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Rule
from caracal_grpc.core.verdict import audience_mismatch
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.interceptors.guard.aio.verdicts import AioVerdicts
from caracal_grpc.interceptors.guard.verifier import Verifier
from caracal_grpc.interceptors.records.recorder import Recorder
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.testing import CannedFeed, ThrowawayAuthority, bearing, refused

METHOD, OURS, THEIRS = "/shop.v1.Payments/Charge", "resource://orders", "resource://payments"
RULE = Rule(METHOD, THEIRS, frozenset({"payments:charge"}))
THUMBPRINT = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"


class Kit:
    """Verdicts, and all that a test asks them."""

    def __init__(self) -> None:
        self.authority = ThrowawayAuthority()
        self.feed = CannedFeed(self.authority)
        self.decisions: list[EdgeDecision] = []
        clock = self.authority.clock
        self.verdicts = AioVerdicts(
            self.feed,
            Rules(),
            Verifier(self.feed, clock=clock),
            recorder=Recorder(self.decisions.append, 0.0, clock, SystemIds()),
        )

    def mandate(self, **claims: Any) -> str:
        """One of a caller of ours."""
        return self.authority.mandate(**({"resource": OURS, "scopes": "orders:place"} | claims))

    def forwarded(self, token: str, proven: str | None = None) -> Any:
        """Its admission."""
        return self.verdicts.forwarded(METHOD, bearing(token), own, lambda _: proven)


def own(mandate: Mandate) -> Rule:
    """What one of ours has to permit."""
    if mandate.resource != OURS:
        raise audience_mismatch(OURS)
    return Rule("", mandate.resource, mandate.scopes)


def test_one_for_us_is_admitted() -> None:
    """With its text, for the exchange."""
    kit = Kit()
    token = kit.mandate()
    admission = kit.forwarded(token)
    assert (admission.token, admission.mandate.resource) == (token, OURS)
    assert kit.decisions == []


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"resource": THEIRS}, Reason.AUDIENCE_MISMATCH),
        ({"age": 600}, Reason.MANDATE_EXPIRED),
        ({"forged": True}, Reason.MANDATE_SIGNATURE_INVALID),
        ({"binding": THUMBPRINT}, Reason.BINDING_MISMATCH),
        ({"use": "session"}, Reason.USE_MISMATCH),
    ],
)
def test_any_other_is_refused_and_recorded(claims: dict[str, Any], reason: Reason) -> None:
    """As a guard would; the refusal names its record."""
    kit = Kit()
    with refused(reason) as refusal:
        kit.forwarded(kit.mandate(**claims))
    (decision,) = kit.decisions
    assert (decision.method, decision.reason) == (METHOD, reason.value)
    assert refusal.metadata["decision_id"] == decision.id


def test_a_bound_one_takes_what_its_holder_showed() -> None:
    """Of that certificate, and no other."""
    kit = Kit()
    token = kit.mandate(binding=THUMBPRINT)
    assert kit.forwarded(token, THUMBPRINT).token == token
    with refused(Reason.BINDING_MISMATCH):
        kit.forwarded(token, "another")


def test_no_mandate_at_all_is_refused() -> None:
    """There is nobody to act for."""
    kit = Kit()
    with refused(Reason.MANDATE_MISSING):
        kit.verdicts.forwarded(METHOD, (), own, lambda _: None)


def test_what_goes_out_is_judged_as_the_guard_there_would() -> None:
    """Nothing of it is recorded: it is ours."""
    kit = Kit()
    good = kit.mandate(resource=THEIRS, scopes="payments:charge")
    assert kit.verdicts.check(good, RULE).resource == THEIRS
    for claims, reason in (
        ({"scopes": "payments:refund"}, Reason.SCOPE_INSUFFICIENT),
        ({"resource": OURS}, Reason.AUDIENCE_MISMATCH),
        ({"binding": THUMBPRINT}, Reason.BINDING_MISMATCH),
    ):
        with refused(reason):
            kit.verdicts.check(
                kit.mandate(**({"resource": THEIRS, "scopes": "payments:charge"} | claims)), RULE
            )
    kit.feed.go_stale()
    with refused(Reason.AUTHORITY_STALE):
        kit.verdicts.check(good, RULE)
    assert kit.decisions == []
