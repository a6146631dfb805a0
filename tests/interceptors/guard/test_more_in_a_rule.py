"""What a rule asks for beyond scopes, let in and refused by a real server of both stacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.crypto.thumbprint import x5t_s256
from caracal_grpc.interceptors.rules.rules import Rules
from tests.interceptors.guard.test_binding import HOLDER, setup
from tests.support.echo import SYNC_METHODS, path
from tests.support.echo_client import bearing
from tests.support.echo_server import Setup, aio_stage, sync_stage
from tests.support.keys import RESOURCE, chain

GATEWAY, ORDERS, AGENT = (SystemIds().new("app") for _ in range(3))
CALL, READ, ADMIN = "echo:call", "echo:read", "echo:admin"

both = pytest.mark.parametrize("make", [aio_stage, sync_stage], ids=["aio", "sync"])


def rules(**asked: Any) -> Rules:
    """Every method asks for `echo:call`, unless told otherwise, and for what is `asked`."""
    entry = {"resource": RESOURCE, "scopes": [CALL], **asked}
    return Rules.from_mapping({path(name): entry for name in SYNC_METHODS})


def own(application: str, *others: str) -> dict[str, Any]:
    """What `application` may do itself, passed on along the others."""
    return {"subject": application, "subject_type": "application", "chain": others}


@dataclass
class Case:
    """A rule, mandates that it lets in, and one that it refuses."""

    asked: dict[str, Any]
    good: list[dict[str, Any]]
    bad: dict[str, Any]
    reason: Reason
    metadata: dict[str, str] = field(default_factory=dict)


ANY = {"scopes": [], "any_scopes": [READ, ADMIN]}

CASES = {
    "any scope": Case(
        ANY,
        [{"scopes": frozenset({ADMIN})}, {"scopes": frozenset({READ, CALL})}],
        {"scopes": frozenset({CALL})},
        Reason.SCOPE_INSUFFICIENT,
        {"any_of": f"{READ} {ADMIN}"},
    ),
    "any scope besides all": Case(
        ANY | {"scopes": [CALL]},
        [{"scopes": frozenset({ADMIN, CALL})}],
        {"scopes": frozenset({READ, ADMIN})},
        Reason.SCOPE_INSUFFICIENT,
        {"required": CALL, "missing": CALL},
    ),
    "no hop": Case(
        {"require_delegation": True},
        [chain(1), chain(3), own(AGENT, ORDERS)],
        {},
        Reason.DELEGATION_REQUIRED,
    ),
    "a hop to itself": Case(
        {"require_delegation": True},
        [own(ORDERS, AGENT)],
        own(AGENT, AGENT),
        Reason.DELEGATION_REQUIRED,
    ),
    "back at itself": Case(
        {"require_delegation": True},
        [own(AGENT, ORDERS, GATEWAY)],
        own(AGENT, ORDERS, AGENT),
        Reason.DELEGATION_REQUIRED,
    ),
    "hops of the method": Case(
        {"max_hops": 2}, [{}, chain(2)], chain(3), Reason.HOPS_EXCEEDED, {"hops": "3", "limit": "2"}
    ),
    "hops of the zone": Case(
        {"max_hops": 8}, [chain(5)], chain(6), Reason.HOPS_EXCEEDED, {"hops": "6", "limit": "5"}
    ),
    "not through the gateway": Case(
        {"chain_must_include": [GATEWAY]},
        [{"chain": (GATEWAY, ORDERS)}, own(GATEWAY, ORDERS), {"application": GATEWAY}],
        {"chain": (ORDERS, AGENT)},
        Reason.CHAIN_MISMATCH,
        {"missing": GATEWAY},
    ),
    "through one of two": Case(
        {"chain_must_include": [GATEWAY, ORDERS]},
        [{"chain": (ORDERS, AGENT, GATEWAY)}],
        {"chain": (ORDERS, AGENT)},
        Reason.CHAIN_MISMATCH,
        {"missing": GATEWAY},
    ),
    "a user called like the gateway": Case(
        {"chain_must_include": [GATEWAY]},
        [own(GATEWAY, ORDERS)],
        {"subject": GATEWAY},
        Reason.CHAIN_MISMATCH,
        {"missing": GATEWAY},
    ),
    "not bound": Case({"bound": True}, [], {}, Reason.BINDING_MISMATCH),
}


@both
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_what_a_rule_asks_for_is_held(make: Callable[..., Any], case: Case) -> None:
    """Good mandates pass; a bad one is refused with its reason and the handler never runs."""
    async with make(Setup(rules=rules(**case.asked))) as stage:
        for changes in case.good:
            await stage.client.call("Unary", bearing(stage.mint.token(**changes)))
        assert stage.journal.ran == ["Unary"] * len(case.good)
        for method in SYNC_METHODS:
            token = stage.mint.token(**case.bad)
            error = await stage.client.refusal(method, bearing(token))
            assert (error.reason, error.metadata) == (case.reason, case.metadata)
        assert stage.journal.ran == ["Unary"] * len(case.good)
        assert [refusal[1].reason for refusal in stage.refusals] == [case.reason] * 4


@both
async def test_a_method_for_bound_mandates_takes_that_of_the_connection(
    make: Callable[..., Any],
) -> None:
    """And refuses one that anybody could use, from the same certificate."""
    held = setup(HOLDER)
    held.rules = rules(bound=True)
    async with make(held) as stage:
        bound = stage.mint.token(binding=x5t_s256(HOLDER.certificate))
        await stage.client.call("Unary", bearing(bound))
        error = await stage.client.refusal("Unary", bearing(stage.mint.token()))
        assert error.reason is Reason.BINDING_MISMATCH
        assert "bound" in error.message
        assert stage.journal.ran == ["Unary"]
