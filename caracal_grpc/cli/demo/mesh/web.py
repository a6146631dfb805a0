"""Requests over plain HTTP, and their refusals as the ones of gRPC are told."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from dataclasses import dataclass
from typing import Any, Final

from caracal_grpc.cli.demo.agent import TIMEOUT
from caracal_grpc.cli.demo.flow import Answer
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason

PROBLEM: Final = "application/problem+json"
_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Response:
    """What came back."""

    status: int
    kind: str
    body: bytes

    @property
    def json(self) -> Any:
        """What is in it."""
        return json.loads(self.body)

    def answer(self) -> Answer:
        """The same as a call of gRPC would have ended; a status with no reason has no code."""
        now = time.monotonic()
        if self.status < 400:
            return Answer("OK", "", now, self.json)
        if self.kind != PROBLEM:
            return Answer(
                f"HTTP {self.status}", "", now, said=self.body[:_SHOWN].decode(errors="replace")
            )
        told = self.json
        error = CaracalError(Reason(told["reason"]), told["detail"], metadata=told["metadata"])
        return Answer(error.code, error.reason.value, now, error=error, said=error.message)


async def ask(address: str, method: str, path: str, host: str = "", mandate: str = "") -> Response:
    """One request on a connection of its own; raises `OSError`."""
    return await asyncio.to_thread(_ask, address, method, path, host or address, mandate)


def _ask(address: str, method: str, path: str, host: str, mandate: str) -> Response:
    headers = {"Host": host}
    if mandate:
        headers["Authorization"] = f"Bearer {mandate}"
    connection = http.client.HTTPConnection(address, timeout=TIMEOUT)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return Response(response.status, response.headers.get_content_type(), response.read())
    finally:
        connection.close()
