"""Objects read one by one and page by page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from caracal_grpc.authority.zones.kinds import APPLICATION, ISSUER, PROOF_SYSTEM, RESOURCE
from caracal_grpc.authority.zones.objects import Query
from caracal_grpc.core.reason import Reason
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, PAYMENTS, shop

EVERYTHING = Query("", 100, "")


async def names(rig: Rig, kind: Any, query: Query = EVERYTHING) -> list[str]:
    """What a list of the shop finds."""
    assert rig.operator is not None
    page = await rig.authority.objects.list(rig.operator, "shop", kind, query)
    return [each.value.name for each in page.items]


def trusting(name: str) -> dict[str, Any]:
    """An issuer, or a proof system."""
    return {"name": name, "issuer": f"https://{name}.example", "audience": "shop"}


async def test_application_is_found_by_id_and_by_name(rig: Rig) -> None:
    """The same one."""
    assert rig.operator is not None
    objects, wanted = rig.authority.objects, rig.application("agent")
    by_id = objects.get(rig.operator, "shop", APPLICATION, wanted)
    assert by_id == objects.get(rig.operator, "shop", APPLICATION, "agent")
    assert by_id.value.id == wanted


async def test_lists_are_in_the_order_of_names(rig: Rig) -> None:
    """Whatever order they were made in."""
    await rig.apply(shop(issuers=[trusting("z"), trusting("b")], proof_systems=[trusting("v")]))
    assert await names(rig, APPLICATION) == ["agent", "bounded", "orders", "payments"]
    assert await names(rig, RESOURCE) == sorted(await names(rig, RESOURCE))
    assert await names(rig, ISSUER) == ["b", "z"]
    assert await names(rig, PROOF_SYSTEM) == ["v"]


@pytest.mark.parametrize(
    ("kind", "text", "found"),
    [
        (APPLICATION, 'name = "*"', ["agent", "bounded", "orders", "payments"]),
        (APPLICATION, "labels:night", ["agent"]),
        (APPLICATION, 'name = "o*" AND disabled = false', ["orders"]),
        (APPLICATION, "disabled = true", []),
        (RESOURCE, 'scopes:"payments:charge"', [PAYMENTS]),
        (RESOURCE, "name = resource://o*", [ORDERS]),
    ],
)
async def test_filters(rig: Rig, kind: Any, text: str, found: list[str]) -> None:
    """Of each kind by its own fields."""
    assert await names(rig, kind, Query(text, 100, "")) == found


async def test_pages_go_on_with_the_same_filter_only(rig: Rig) -> None:
    """FIELD_INVALID for the token of another filter, of another kind, of another zone."""
    assert rig.operator is not None
    objects = rig.authority.objects
    await rig.apply(shop(name="mall"))
    asked = Query('name != "agent"', 2, "")
    first = await objects.list(rig.operator, "shop", APPLICATION, asked)
    assert [each.value.name for each in first.items] == ["bounded", "orders"]
    rest = replace(asked, token=first.next_token)
    assert await names(rig, APPLICATION, rest) == ["payments"]
    with refused(Reason.FIELD_INVALID):
        await objects.list(rig.operator, "shop", APPLICATION, replace(rest, filter=""))
    with refused(Reason.FIELD_INVALID):
        await objects.list(rig.operator, "shop", RESOURCE, replace(rest, filter=""))
    with refused(Reason.FIELD_INVALID):
        await objects.list(rig.operator, "mall", APPLICATION, rest)


async def test_what_is_not_there_is_not_found(rig: Rig) -> None:
    """OBJECT_NOT_FOUND for object and zone; the authority itself is declared nowhere."""
    assert rig.operator is not None
    objects = rig.authority.objects
    missing = "app_01h455vb4pex5vsknk084sn02q"
    for kind, name in (
        (APPLICATION, "nobody"),
        (APPLICATION, missing),
        (RESOURCE, "resource://caracal"),
        (ISSUER, "nobody"),
    ):
        with refused(Reason.OBJECT_NOT_FOUND):
            objects.get(rig.operator, "shop", kind, name)  # type: ignore[arg-type]
    with refused(Reason.OBJECT_NOT_FOUND):
        objects.get(rig.operator, "nowhere", APPLICATION, "agent")


@pytest.mark.parametrize("name", ["", "UPPER", "app_", "ses_01h455vb4pex5vsknk084sn02q", "a/b"])
async def test_what_can_be_no_name_is_said_to_be_none(rig: Rig, name: str) -> None:
    """FIELD_INVALID."""
    assert rig.operator is not None
    for kind in (APPLICATION, RESOURCE, ISSUER):
        with refused(Reason.FIELD_INVALID):
            rig.authority.objects.get(rig.operator, "shop", kind, name)  # type: ignore[arg-type]


async def test_etag_of_an_application_covers_its_standing_session(rig: Rig) -> None:
    """A session that is suspended is a change of the application that stands on it."""
    assert rig.operator is not None
    objects = rig.authority.objects
    before = objects.get(rig.operator, "shop", APPLICATION, "agent")
    other = objects.get(rig.operator, "shop", APPLICATION, "orders")
    await rig.authority.suspensions.suspend(rig.operator, "shop", rig.standing("agent"), "")
    after = objects.get(rig.operator, "shop", APPLICATION, "agent")
    assert before.value == after.value
    assert before.etag != after.etag
    assert objects.get(rig.operator, "shop", APPLICATION, "orders") == other
