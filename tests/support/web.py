"""A real HTTP server on loopback that answers what a test tells it to, and counts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from tests.support.loopback import LoopbackServer


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Answer:
    """What is answered; `body` is sent as it is."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


NOT_FOUND = Answer(b"not found", 404)


@dataclass
class WebServer(LoopbackServer):
    """Answers by path. `held` paths are not answered until they are let go."""

    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    _held: dict[str, asyncio.Event] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """What its URLs begin with."""
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}"

    def hold(self, path: str) -> None:
        """Leaves requests for `path` without an answer, until `release`."""
        self._held[path] = asyncio.Event()

    def release(self, path: str) -> None:
        """Answers those that wait, and all that come."""
        self._held.pop(path).set()

    def count(self, path: str) -> int:
        """How often `path` was asked for."""
        return sum(request.path == path for request in self.requests)

    async def asked(self, path: str, times: int = 1) -> None:
        """Returns when `path` was asked for that often."""
        async with asyncio.timeout(5):
            while self.count(path) < times:
                await asyncio.sleep(0.002)

    def answer(self, request: Request) -> Answer:
        """What is answered to `request`."""
        return self.answers.get(request.path, NOT_FOUND)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one request."""
        request = await _read(reader)
        self.requests.append(request)
        if request.path in self._held:
            await self._held[request.path].wait()
        answer = self.answer(request)
        headers = {"Content-Length": str(len(answer.body)), "Connection": "close"} | answer.headers
        lines = [
            f"HTTP/1.1 {answer.status} -",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode() + answer.body)
        await writer.drain()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, path, _ = head[0].split(" ")
    pairs = (line.split(": ", 1) for line in head[1:] if line)
    headers = {name.lower(): value for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body)
