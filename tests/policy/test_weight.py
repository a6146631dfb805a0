"""What is light is decided in process, and what may take its time is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from caracal_grpc.policy.bundle import Bundle
from caracal_grpc.policy.engines import engine
from caracal_grpc.policy.grants import grants_data, grants_modules
from caracal_grpc.policy.weight import LIGHT
from tests.policy.documents import document, grant
from tests.policy.sandbox.policies import HONEST, bundle, children

MANY = LIGHT // 10
HELD = {
    "step_up": ["payments:charge"],
    "approval": {"reviewers": [f"reviewer-{number}" for number in range(200)]},
}


def of(grants: list[dict[str, Any]]) -> Bundle:
    """The built-in module over grants."""
    return Bundle.of(grants_modules(), grants_data(grants))


def spread(count: int) -> list[dict[str, Any]]:
    """As many grants, each of another application."""
    return [grant(application=f"shop-{number}") for number in range(count)]


@pytest.mark.parametrize(
    ("grants", "light"),
    [
        ([grant()], True),
        (spread(3_000), True),
        ([grant()] * MANY, False),
        ([grant(subjects=[f"app-{number}" for number in range(250)])] * (LIGHT // 250), False),
        ([grant(**HELD)] * 5, True),
        ([grant(**HELD)] * 20, False),
    ],
    ids=["one", "spread", "many", "long", "held", "compared"],
)
def test_weight_is_that_of_the_longest_list(grants: list[dict[str, Any]], light: bool) -> None:
    """Of one application on one resource: no question looks at more."""
    assert of(grants).light is light


def test_only_the_built_in_module_is_light() -> None:
    """However short a module of somebody else is."""
    assert not bundle(HONEST).light


async def test_heavy_grants_are_decided_where_their_time_is_bounded() -> None:
    """By the same module, with the same answer, in a process of their own."""
    before, engines = children(), engine()
    light, heavy = await engines.compile(of([grant()])), of([grant()] * MANY)
    assert children() == before
    policy = await engines.compile(heavy)
    assert len(children() - before) == 1
    asked = json.dumps(document())
    assert await policy.decide(asked) == await light.decide(asked)
    for each in (light, policy):
        await each.close()
    await engines.close()
    assert children() == before
