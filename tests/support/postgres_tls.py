"""TLS in front of a PostgreSQL server whose wheel was built without it.

It speaks the beginning of the protocol (PostgreSQL 18 documentation, section 54.2.11: SSLRequest is
answered with `S`), then TLS, and passes on what is within.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.support.postgres import PostgresProcess


@asynccontextmanager
async def tls_port(server: PostgresProcess, certificate: Path, key: Path) -> AsyncIterator[int]:
    """A port of loopback on which `server` shows a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_serve(server, context, reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _serve(
    server: PostgresProcess,
    context: ssl.SSLContext,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    behind: asyncio.StreamWriter | None = None
    with suppress(OSError, asyncio.IncompleteReadError):
        try:
            await reader.readexactly(8)
            writer.write(b"S")
            await writer.start_tls(context)
            back, behind = await asyncio.open_connection("127.0.0.1", server.port)
            async with asyncio.TaskGroup() as group:
                group.create_task(_carry(reader, behind))
                group.create_task(_carry(back, writer))
        finally:
            for end in (writer, behind):
                if end is not None:
                    end.transport.abort()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()
