"""What the process says of itself."""

from __future__ import annotations

from tests.http.desk import Desk
from tests.http.port import told
from tests.support.raw_http import exchange


async def test_process_lives(desk: Desk) -> None:
    """Whatever else is wrong."""
    desk.ready = False
    assert (await desk.port.get("/healthz")).status == 200


async def test_ready_is_what_the_health_service_says(desk: Desk) -> None:
    """And nothing keeps it."""
    assert (await desk.port.get("/readyz")).status == 200
    desk.ready = False
    answered = await desk.port.get("/readyz")
    assert (answered.status, told(answered)) == (503, {"status": "not ready"})
    assert answered.header("cache-control") == "no-store"


async def test_head_asks_without_a_body(desk: Desk) -> None:
    """As load balancers do."""
    answered = await exchange(desk.port.address, "HEAD", "/readyz")
    assert (answered.status, answered.body) == (200, b"")
