"""Syslog over TLS (RFC 5425), over one connection that is watched.

Nothing comes back by syslog. So a batch counts when the receiver's system has acknowledged all of
its bytes and the connection has stood for a while after that; a connection that ends before is
replaced, and the whole batch is sent again.
"""

from __future__ import annotations

import array
import asyncio
import fcntl
import ssl
import sys
import termios
from collections.abc import Callable, Coroutine
from typing import Any, Final

from caracal_grpc.settings.receivers import SyslogSink, host_of
from caracal_grpc.shipping.port import Batch, Format, SinkUnavailableError
from caracal_grpc.shipping.sinks.syslog_message import Header, framed

_TICK: Final = 0.005
_CAN_COUNT: Final = sys.platform == "linux"
"""Whether the system tells how many bytes the receiver has not acknowledged (tcp(7), SIOCOUTQ)."""


class SyslogDelivery:
    """The sink of one address; `tls` says to each connection whom to trust and what to show."""

    def __init__(
        self,
        settings: SyslogSink,
        header: Header,
        form: Format,
        tls: Callable[[], ssl.SSLContext],
    ) -> None:
        self._settings = settings
        self._header = header
        self._form = form
        self._tls = tls
        self._writer: asyncio.StreamWriter | None = None
        self._ended: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connects, unless a connection stands."""
        if self._ended is not None and not self._ended.done():
            return
        await self.close()
        settings = self._settings
        host = host_of(settings.address)
        try:
            async with asyncio.timeout(settings.timeout_seconds):
                reader, writer = await asyncio.open_connection(
                    host,
                    int(settings.address.rpartition(":")[2]),
                    ssl=await asyncio.to_thread(self._tls),
                    server_hostname=settings.server_name or host,
                )
        except TimeoutError as error:
            raise SinkUnavailableError(f"no connection to {settings.address} in time") from error
        except OSError as error:
            raise SinkUnavailableError(
                f"no connection to {settings.address}: {_why(error)}"
            ) from error
        self._writer = writer
        self._ended = asyncio.create_task(_end_of(reader), name="caracal-syslog")

    async def send(self, batch: Batch) -> None:
        """Returns when the receiver's system has all of it, on a connection that stands."""
        messages = await asyncio.to_thread(self._messages, batch)
        await self.open()
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                await self._deliver(messages)
        except BaseException as error:
            await self._abort()
            if isinstance(error, TimeoutError):
                text = f"{self._settings.address} did not take a batch in time"
                raise SinkUnavailableError(text) from error
            if isinstance(error, OSError):
                why = f"the connection to {self._settings.address} broke: {_why(error)}"
                raise SinkUnavailableError(why) from error
            raise

    async def close(self) -> None:
        """Ends the connection."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
            await asyncio.wait({asyncio.create_task(_closed(writer))})
        await self._forget()

    def _messages(self, batch: Batch) -> bytes:
        return b"".join(
            framed(self._header.message(record, self._form.line(record))) for record in batch
        )

    async def _deliver(self, messages: bytes) -> None:
        writer, ended = self._writer, self._ended
        if writer is None or ended is None:
            raise ConnectionResetError("it is closed")
        writer.write(messages)
        await _while_standing(ended, writer.drain())
        await _while_standing(ended, _taken(writer))
        await _while_standing(ended, asyncio.sleep(self._settings.settle_seconds))
        await _while_standing(ended, _taken(writer))

    async def _abort(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.transport.abort()
            await asyncio.wait({asyncio.create_task(_closed(writer))})
        await self._forget()

    async def _forget(self) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended.cancel()
            await asyncio.wait({ended})


async def _while_standing(ended: asyncio.Task[None], step: Coroutine[Any, Any, None]) -> None:
    """Does `step`; raises `ConnectionError` when the connection ends before it is done."""
    work = asyncio.create_task(step)
    try:
        await asyncio.wait({ended, work}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
        if ended.done():
            raise ConnectionResetError("the receiver closed it")
    finally:
        work.cancel()
        await asyncio.wait({work})
        if not work.cancelled():
            work.exception()  # told already, or of a connection that is known to have ended


async def _end_of(reader: asyncio.StreamReader) -> None:
    """Returns when the connection ends; what a receiver says, for which there is no meaning, is
    passed over.
    """
    try:
        while await reader.read(4096):
            pass
    except OSError:
        return


async def _taken(writer: asyncio.StreamWriter) -> None:
    """Returns when all bytes have left this process and, where the system tells, were acknowledged
    by the other.
    """
    transport = writer.transport
    raw = transport.get_extra_info("socket")
    waits = True
    while waits:
        await asyncio.sleep(_TICK)  # what is below TLS goes on meanwhile
        here = transport.get_write_buffer_size()
        waits = bool(here or (_CAN_COUNT and _unacknowledged(raw.fileno())))


def _unacknowledged(descriptor: int) -> int:
    """Bytes in the send queue of a socket."""
    if descriptor < 0:
        raise ConnectionResetError("it is closed")
    count = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.TIOCOUTQ, count)
    return count[0]


async def _closed(writer: asyncio.StreamWriter) -> None:
    try:
        async with asyncio.timeout(_GOODBYE):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()


_GOODBYE: Final = 2.0
"""Seconds that a receiver has to take its leave."""


def _why(error: OSError) -> str:
    """What went wrong, as the system or TLS says it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError):
        return error.reason or "TLS failed"
    return error.strerror or str(error) or type(error).__name__
