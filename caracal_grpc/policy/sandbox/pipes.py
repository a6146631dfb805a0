"""The pipes to a child, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable

from caracal_grpc.policy.sandbox import frames


class Pipes(asyncio.SubprocessProtocol):
    """Puts answers together from what comes out of the child, one at a time."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self._transport: asyncio.SubprocessTransport | None = None
        self._received = bytearray()
        self._ended: Callable[[bytes, bytes], None] | None = None
        self._over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remembers the process."""
        if isinstance(transport, asyncio.SubprocessTransport):
            self._transport = transport

    def expect(self, ended: Callable[[bytes, bytes], None]) -> None:
        """Calls `ended` with the next answer, or with nothing when there will be none."""
        self._ended = ended
        if self._over:
            asyncio.get_running_loop().call_soon(self._end, b"", b"")

    def pipe_data_received(self, fd: int, data: bytes) -> None:  # noqa: ARG002
        """Takes what the child says; an answer that is complete ends its question."""
        self._received += data
        head = frames.ANSWER.size
        if len(self._received) < head:
            return
        size, mark = frames.ANSWER.unpack_from(self._received)
        if size > frames.MAX_ANSWER or self._ended is None:
            self._break_off()
        elif len(self._received) >= head + size:
            answer = bytes(self._received[head : head + size])
            del self._received[: head + size]
            self._end(mark, answer)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002
        """Ends the child: it cannot be asked any more."""
        self._break_off()

    def process_exited(self) -> None:
        """Lets go of the pipes."""
        self._break_off()
        if self._transport:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """All of it is gone."""
        self._break_off()
        self.gone.set()

    def _break_off(self) -> None:
        """There will be no answer any more: it says too much, or it says nothing."""
        if not self._over:
            self._over = True
            if self._transport:
                end_process(self._transport)
            self._end(b"", b"")

    def _end(self, mark: bytes, answer: bytes) -> None:
        ended, self._ended = self._ended, None
        if ended:
            ended(mark, answer)


def end_process(transport: asyncio.SubprocessTransport) -> None:
    """Ends a process by its id: `Popen.kill` would reap it, which the loop waits to do itself."""
    if transport.get_returncode() is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(transport.get_pid(), signal.SIGKILL)
