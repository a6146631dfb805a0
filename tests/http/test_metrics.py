"""What operators watch: each number is that of the moment, and none tells a secret."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.http.desk import Desk
from tests.support.shop import ORDERS
from tests.support.sweeps import edit_from_outside

Labels = dict[str, str]


async def measured(desk: Desk) -> dict[str, list[tuple[Labels, float]]]:
    """Each number by its name, with its labels."""
    answered = await desk.port.get("/metrics")
    assert answered.status == 200
    assert answered.header("content-type") == "text/plain; version=0.0.4; charset=utf-8"
    assert answered.header("cache-control") == "no-store"
    found: dict[str, list[tuple[Labels, float]]] = {}
    for family in text_string_to_metric_families(answered.body.decode()):
        assert family.documentation
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


async def test_each_entry_of_the_ledger_is_counted(desk: Desk) -> None:
    """By its zone, what it is of, and how it was decided."""
    token = await desk.port.mandate("agent", ORDERS)
    await desk.port.token("agent", ORDERS, scope="orders:track")
    await desk.port.token("agent", ORDERS, scope="orders:track")
    await desk.port.post("/revoke", {"token": token, **desk.port.client("agent")})
    told = (await measured(desk))["caracal_entries_total"]
    of_shop = {
        (labels["type"], labels["decision"], labels["reason"]): count
        for labels, count in told
        if labels["zone"] == "shop"
    }
    assert of_shop["exchange", "allow", ""] == 1
    assert of_shop["exchange", "deny", "POLICY_DENIED"] == 2
    assert of_shop["revocation", "done", ""] == 1


async def test_view_shows_its_age_and_its_place(desk: Desk) -> None:
    """And whether it decides."""
    (before,), (ready,) = [
        (await measured(desk))[name] for name in ("caracal_view_age_seconds", "caracal_ready")
    ]
    await desk.lose_sight()
    desk.ready = False
    found = await measured(desk)
    assert found["caracal_view_age_seconds"][0][1] >= before[1] + 60
    assert found["caracal_view_revision"] == [({}, desk.rig.state.revision)]
    assert (ready[1], found["caracal_ready"][0][1]) == (1, 0)


async def test_running_calls_are_counted(desk: Desk) -> None:
    """While they run."""
    with desk.drain.call():
        assert (await measured(desk))["caracal_calls_running"] == [({}, 1)]
    assert (await measured(desk))["caracal_calls_running"] == [({}, 0)]


async def test_edges_on_the_feed_are_counted_by_zone(desk: Desk) -> None:
    """Also where there is none."""
    watching = desk.rig.authority.feed.events("shop", "an application")
    await anext(watching)
    found = await measured(desk)
    fed = {labels["zone"]: count for labels, count in found["caracal_feed_edges"]}
    assert fed == {"caracal": 0, "shop": 1}
    await watching.aclose()  # type: ignore[attr-defined]


async def test_no_metric_tells_who_or_what(desk: Desk) -> None:
    """Neither tokens nor secrets nor ids are in any label."""
    token = await desk.port.mandate("agent", ORDERS)
    client = desk.port.client("agent")
    body = (await desk.port.get("/metrics")).body.decode()
    for each in (token, token.rpartition(".")[2], *client.values(), "_0"):
        assert each not in body


async def test_what_sweeps_of_ledgers_found_is_counted(desk: Desk, tmp_path: Path) -> None:
    """By zone and kind, and which zones are ready."""
    before = await measured(desk)
    assert before["caracal_ledger_ready"] == [({"zone": "caracal"}, 1), ({"zone": "shop"}, 1)]
    assert "caracal_ledger_findings_total" not in before
    forged = "UPDATE entries SET jti = 'mnd_1' WHERE zone = 'shop' AND idx = 0"
    assert edit_from_outside(tmp_path / "ledger.db", forged) == 1
    await desk.rig.authority.proving.sweeping.sweep("shop")
    found = await measured(desk)
    assert found["caracal_ledger_ready"] == [({"zone": "caracal"}, 1), ({"zone": "shop"}, 0)]
    assert found["caracal_ledger_findings_total"] == [({"zone": "shop", "kind": "column"}, 1)]
