"""Whether the process runs, and whether it decides."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from caracal_grpc.http.answers import answer

Ready = Callable[[], bool]
"""Whether the health service says that the authority serves."""


class Health:
    """Answers of a process about itself."""

    def __init__(self, ready: Ready) -> None:
        self._ready = ready

    async def lives(self, _: Request) -> Response:
        """200 while anything is answered at all."""
        return answer({"status": "alive"})

    async def serves(self, _: Request) -> Response:
        """200 while the authority decides; 503 while it is stale, and while it ends."""
        ready = self._ready()
        return answer({"status": "ready" if ready else "not ready"}, 200 if ready else 503)
