"""HTTP/1.1 exactly as a test writes it: no library in between that would correct a request."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Answered:
    """What was answered; names of headers are in lower case."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str:
        """The one value of a header; empty without it."""
        values = [value for each, value in self.headers if each == name]
        assert len(values) < 2, f"{name} comes {len(values)} times"
        return values[0] if values else ""

    @property
    def problem(self) -> dict[str, Any]:
        """The problem that it is (RFC 9457)."""
        assert self.header("content-type") == "application/problem+json", self
        found: dict[str, Any] = json.loads(self.body)
        assert found["status"] == self.status
        return found


async def exchange(
    address: str,
    method: str,
    target: str,
    headers: Headers = (),
    body: bytes = b"",
    *,
    host: str = "service.test",
) -> Answered:
    """One request on a connection of its own."""
    name, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(name, int(port), limit=1 << 20)
    try:
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close"]
        lines += [f"{each}: {value}" for each, value in headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        async with asyncio.timeout(60):
            await writer.drain()
            return await _answered(reader)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _answered(reader: asyncio.StreamReader) -> Answered:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in head[1:] if line)
    headers = tuple((name.lower(), value.strip()) for name, _, value in pairs)
    chunked = ("transfer-encoding", "chunked") in headers
    body = await _chunks(reader) if chunked else await reader.read()
    return Answered(int(head[0].split(" ")[1]), headers, body)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    return body
