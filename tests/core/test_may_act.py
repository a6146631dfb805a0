"""Who may act on behalf of whom at a resource."""

from __future__ import annotations

import pytest

from caracal_grpc.core.may_act import names_of, require_may_act
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.zone import MayAct
from tests.support.refusals import refused

AGENT = names_of("application", "agent")
ALICE = names_of("user", "corp/alice")
ORDERS = ("app_1", "orders")
STOCK = ("app_2", "stock")


@pytest.mark.parametrize(
    ("rules", "actors", "subject"),
    [
        ([], [ORDERS, STOCK], AGENT),
        ([MayAct("stock", ("nobody",))], [], AGENT),
        ([MayAct("orders", ("agent",))], [ORDERS], AGENT),
        ([MayAct("orders", ("*",))], [ORDERS], ALICE),
        ([MayAct("orders", ("corp/alice",))], [ORDERS], ALICE),
        ([MayAct("orders", ("corp/*",))], [ORDERS], ALICE),
        ([MayAct("orders", ("agent",)), MayAct("stock", ("agent",))], [ORDERS, STOCK], AGENT),
    ],
)
def test_allowed(
    rules: list[MayAct], actors: list[tuple[str, str]], subject: frozenset[str]
) -> None:
    """Without rules anybody; for itself always; else each hop by one of them."""
    require_may_act(rules, actors, subject)


@pytest.mark.parametrize(
    ("rules", "actors", "subject", "actor"),
    [
        ([MayAct("orders", ("agent",))], [STOCK], AGENT, "app_2"),
        ([MayAct("orders", ("agent",))], [ORDERS, STOCK], AGENT, "app_2"),
        ([MayAct("orders", ("payments",))], [ORDERS], AGENT, "app_1"),
        ([MayAct("orders", ("corp/*",))], [ORDERS], AGENT, "app_1"),
        ([MayAct("orders", ("corp/bob",))], [ORDERS], ALICE, "app_1"),
        ([MayAct("orders", ("other/*",))], [ORDERS], ALICE, "app_1"),
        ([MayAct("orders", ("alice",))], [ORDERS], ALICE, "app_1"),
        ([MayAct("", ("*",))], [("app_3", "removed")], AGENT, "app_3"),
    ],
)
def test_forbidden(
    rules: list[MayAct], actors: list[tuple[str, str]], subject: frozenset[str], actor: str
) -> None:
    """ACTOR_FORBIDDEN, naming the first who may not."""
    with refused(Reason.ACTOR_FORBIDDEN) as seen:
        require_may_act(rules, actors, subject)
    assert seen.metadata == {"actor": actor}


def test_subject_without_a_name_is_anyone_only() -> None:
    """What is gone from the zone has no name that a rule could mean."""
    assert names_of("application", "") == {"*"}
    assert names_of("user", "corp/al/ice") == {"*", "corp/al/ice", "corp/*"}
    assert names_of("application", "corp") == {"*", "corp"}
