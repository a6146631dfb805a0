"""An echo service that cuts its streams when the test says so."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.wrappers_pb2 import StringValue

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from tests.interceptors.support import EXPIRED, Echo, _refuse

Cut = tuple[int, CaracalError]
"""After how many responses a call ends, and how."""

AT_ONCE: Cut = (0, EXPIRED)
AFTER_ONE: Cut = (1, EXPIRED)
AFTER_TWO: Cut = (2, EXPIRED)
REVOKED = CaracalError(Reason.MANDATE_REVOKED, "the mandate is revoked")
OTHERS = [
    REVOKED,
    CaracalError(Reason.KEY_UNKNOWN, "nobody knows the key"),
    CaracalError(Reason.SCOPE_INSUFFICIENT, "that is not enough"),
    CaracalError(Reason.AUTHORITY_STALE, "too long ago"),
]


@dataclass
class Cutting(Echo):
    """Cuts each stream of responses as `cuts` has it, one call after the other; then none."""

    cuts: deque[Cut] = field(default_factory=deque)
    asked: list[str] = field(default_factory=list)
    stays: asyncio.Event | None = None
    left: int = 0
    """How many streams ended before all was said."""

    async def _unary_stream(self, request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        await self._admit(context)
        self.asked.append(request.value)
        context.set_trailing_metadata((("try", str(len(self.calls))),))
        letters = [StringValue(value=letter) for letter in request.value]
        try:
            async for letter in self._cut(letters, context):
                yield letter
        except asyncio.CancelledError:
            self.left += 1
            raise

    async def _stream_stream(self, requests: Any, context: Any) -> AsyncIterator[StringValue]:
        await self._admit(context)
        async for letter in self._cut([request async for request in requests], context):
            yield letter

    async def _cut(self, letters: list[StringValue], context: Any) -> AsyncIterator[StringValue]:
        count, error = self.cuts.popleft() if self.cuts else (len(letters), None)
        for letter in letters[:count]:
            yield letter
        if error is not None:
            await _refuse(context, error)
        if self.stays is not None:
            await self.stays.wait()
