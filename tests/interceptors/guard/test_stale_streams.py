"""Open streams live on while their edge hears from the authority in time.

That they end when it does not is in `tests/conformance`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from caracal_grpc.interceptors.testing import CannedFeed
from tests.interceptors.conftest import Eventually
from tests.support.echo import STREAMS, SYNC_METHODS
from tests.support.echo_client import bearing
from tests.support.echo_server import Setup, Stage, aio_stage, sync_stage
from tests.support.keys import Mint

BOUND = 0.3
"""The staleness bound of these servers, in seconds: they look at the view that often."""

Server = Callable[[Setup], AbstractAsyncContextManager[Stage]]

SERVERS = pytest.mark.parametrize(
    ("server", "methods"),
    [(aio_stage, STREAMS), (sync_stage, SYNC_METHODS[1:])],
    ids=["aio", "sync"],
)


class Beating(CannedFeed):
    """A view that is almost stale at each second look, and young at those between."""

    looks = 0

    def age(self) -> float:
        """Counts, too."""
        self.looks += 1
        return 0.9 * BOUND if self.looks % 2 else 0.0


@SERVERS
async def test_a_stream_outlives_many_bounds_while_heartbeats_come(
    server: Server, methods: tuple[str, ...], eventually: Eventually
) -> None:
    """Each look finds the view young enough, however old it was in between."""
    mint = Mint()
    view = Beating(mint.authority)
    async with server(Setup(mint, view, max_staleness=BOUND)) as stage:
        metadata = bearing(mint.token())
        calls = [await stage.client.open(method, metadata, "idle") for method in methods]
        before = view.looks
        await eventually(lambda: view.looks > before + 10)
        assert [call.done() for call in calls] == [False] * len(methods)
        assert stage.refusals == []
