"""A handler of the sync stack in a thread of its own, so that its call can end without it.

The server's thread asks for one message at a time and the handler's thread makes it, exactly as
lazily as without a guard. Nothing can wake a thread that blocks in other people's code; so when the
mandate dies, the server's thread answers at once, and the handler is told at its next message, in
either direction. Until then it keeps its thread, which counts against the guard's `max_handlers`.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable, Generator
from typing import Any, Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate

_log: Final = logging.getLogger("caracal.guard")


class Relay:
    """One stream of the sync stack: its thread, the message in hand, and its end.

    `on_cut` is called by whoever cuts, and `on_refusal` once, with the refusal that the call of
    `context` ends with.
    """

    def __init__(
        self,
        mandate: Mandate,
        context: Any,
        *,
        on_cut: Callable[[Relay], None],
        on_refusal: Callable[[CaracalError], None],
    ) -> None:
        self.mandate = mandate
        self.error: CaracalError | None = None
        self._context = context
        self._on_cut = on_cut
        self._on_refusal = on_refusal
        self._reporting = threading.Lock()
        self._reported = False
        self._turn = threading.Condition()
        self._wanted = False
        self._message: list[Any] = []
        self._over = False
        self._failure: BaseException | None = None
        self._abandoned = False
        self._thread: threading.Thread | None = None

    def cut(self, error: CaracalError) -> None:
        """Ends the call with `error`, unless it has ended; the first error wins."""
        with self._turn:
            if self._ended():
                return
            self.error = error
            self._turn.notify_all()
        self._on_cut(self)

    def report(self, error: CaracalError | None = None) -> None:
        """Tells of the refusal, which is that of the cut, unless it was told; then it was told."""
        with self._reporting:
            error = error or self.error
            if error is not None and not self._reported:
                self._reported = True
                self._on_refusal(error)

    def overrule(self) -> None:
        """Cancels the RPC if the server's thread still has not let go of it."""
        if not self._abandoned:
            self._context.cancel()

    def abandon(self) -> None:
        """Tells both threads that the call is over."""
        with self._turn:
            self._abandoned = True
            self._turn.notify_all()

    def start(self, messages: Generator[Any, None, None], on_end: Callable[[Relay], None]) -> None:
        """Runs `messages` in a thread, in a copy of this context; `on_end` is its last act."""
        context = contextvars.copy_context()
        name = "caracal-guard-stream"
        self._thread = threading.Thread(
            target=context.run, args=(self._run, messages, on_end), name=name, daemon=True
        )
        self._thread.start()

    def join(self, timeout: float) -> bool:
        """Waits up to `timeout` seconds for the handler; whether its thread has ended."""
        if self._thread is None or self._thread is threading.current_thread():
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def take(self) -> list[Any]:
        """The next message as a list of one; empty when there will be none, or the call was cut.

        Raises what the handler raised.
        """
        with self._turn:
            self._wanted = True
            self._turn.notify_all()
            self._turn.wait_for(self._has_news)
            if self.error is not None or self._abandoned:
                return []
            message, self._message = self._message, []
            if not message and self._failure is not None:
                raise self._failure
            return message

    def _has_news(self) -> bool:
        ended = self._over or self._abandoned or self.error is not None
        return bool(self._message) or ended

    def _run(self, messages: Generator[Any, None, None], on_end: Callable[[Relay], None]) -> None:
        failure: BaseException | None = None
        try:
            self._pump(messages)
        except BaseException as exc:  # noqa: BLE001 - raised again in the server's thread
            failure = exc
        with self._turn:
            self._failure, self._over = failure, True
            heard = not (self._abandoned or self.error is not None)
            self._turn.notify_all()
        if failure is not None and not heard:
            _log.debug("a handler ended after its call: %r", failure)
        on_end(self)

    def _pump(self, messages: Generator[Any, None, None]) -> None:
        try:
            while self._is_wanted():
                try:
                    message = next(messages)
                except StopIteration:
                    return
                self._give(message)
        finally:
            messages.close()

    def _is_wanted(self) -> bool:
        with self._turn:
            self._turn.wait_for(lambda: self._wanted or self._ended())
            return not self._ended()

    def _ended(self) -> bool:
        return self._abandoned or self.error is not None

    def _give(self, message: Any) -> None:
        with self._turn:
            self._wanted = False
            self._message = [message]
            self._turn.notify_all()
