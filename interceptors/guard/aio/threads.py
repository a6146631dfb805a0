"""One guarded call of a plain function on an asyncio server, which runs it in a thread.

Nobody can wake such a thread, so its call is aborted over its head.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from contextvars import Context, copy_context
from types import TracebackType
from typing import Any, Final

import grpc.aio

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.interceptors.context.current import enter, leave
from caracal_grpc.interceptors.guard.aio.calls import GRACE, AioDesk
from caracal_grpc.interceptors.guard.gate import Admission, unforeseen
from caracal_grpc.interceptors.status import to_status

_LOOKS: Final = 100
"""How often the headers of a call are looked after within the grace, before it is aborted."""


class ThreadedCall:
    """One guarded call of a plain function, entered and left in the executor's thread.

    `watched` says whether it is a stream, which can be cut.
    """

    def __init__(
        self, desk: AioDesk, admission: Admission, context: Any, request: Any, watched: bool
    ) -> None:
        self.error: CaracalError | None = None
        self._desk = desk
        self._admission = admission
        self._context = context
        self._request = request
        self._watched = watched and admission.mandate is not None
        self._lock = threading.Lock()
        self._inside: Context | None = None
        self._mark: Any = None
        self._given: Any = None
        self._closed = False
        self._ended = False
        self._gave = False
        self._aborting: Future[None] | None = None

    @property
    def mandate(self) -> Mandate:
        """What it runs under."""
        if self._admission.mandate is None:
            raise unforeseen()
        return self._admission.mandate

    def __enter__(self) -> ThreadedCall:
        desk, admission = self._desk, self._admission
        try:
            if self._watched:
                desk.index.add(self)
            mandate = desk.gate.judge(admission, self._context, self._request)
        except CaracalError as error:
            if not self._close():
                desk.gate.refused(admission, error)
                self._abort(error)
            raise
        desk.gate.admitted(admission)
        self._mark = enter(mandate, admission.token, admission.inbound)
        self._inside = copy_context()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> bool:
        leave(self._mark)
        return self._close() and isinstance(exc, Exception)

    def _close(self) -> bool:
        """Ends the bookkeeping; whether the call was cut, whose status is settled then."""
        if self._watched:
            self._desk.index.remove(self)
        with self._lock:
            self._closed = True
        if self._aborting is not None:
            wait((self._aborting,))  # the call must not end while somebody aborts it
        return self.error is not None

    def cut(self, error: CaracalError) -> None:
        """Aborts the call from another thread, unless a response is being handed to the server.

        Then the server's thread-to-loop bridge would never let go of the thread: `take_back` tells
        it instead, when the response has gone. Should that take long, the handler is closed before.
        """
        with self._lock:
            if self._closed or self.error is not None:
                return
            self.error = error
            with suppress(RuntimeError):  # the guard is closed: the next message is refused
                if self._given is None:
                    self._aborting = self._desk.cutters.submit(self._abort, error)
                else:
                    self._desk.timer.later(GRACE, self._in_thread(self._close_handler))
        self._desk.gate.refused(self._admission, error)

    def _abort(self, error: CaracalError) -> None:
        """In two steps: a context that others wrapped may know `abort` by two arguments only."""
        code, details, trailing_metadata = to_status(error)
        self._context.set_trailing_metadata(trailing_metadata)
        if self._gave:
            self._await_headers()
        self._context.abort(code, details)

    def _await_headers(self) -> None:
        """Returns when the first response has gone, or no longer goes, to the server.

        It carries the headers: a status meanwhile would fail, and the client never hear of its end.
        """
        for _ in range(_LOOKS):
            try:
                self._context.send_initial_metadata(())
            except grpc.aio.UsageError:  # they are sent
                return
            except Exception:  # noqa: BLE001 - they are on their way, or the call is over
                time.sleep(GRACE / _LOOKS)
            else:
                return

    def _in_thread(self, act: Callable[[], None]) -> Callable[[], None]:
        def submit() -> None:
            with suppress(RuntimeError):  # the guard is closed, after its server
                self._desk.cutters.submit(act)

        return submit

    def _close_handler(self) -> None:
        with self._lock:
            responses, inside = self._given, self._inside
            if responses is None or inside is None:
                return
            self._given = None
            self._ended = True
        with suppress(Exception):  # whatever it raises, the handler has ended
            inside.run(_close_generator, responses)
        self._desk.index.remove(self)

    def hand_over(self, responses: Any) -> bool:
        """Whether the handler's response may go to the server; the handler is left meanwhile."""
        with self._lock:
            if self.error is not None:
                return False
            self._given, self._gave = responses, True
            return True

    def take_back(self) -> bool:
        """Whether the handler may go on; the answer is no when the call was cut meanwhile."""
        with self._lock:
            self._given = None
            return self.error is None

    def end(self, responses: Any) -> None:
        """Closes the handler while its mandate is still the current one, unless that was done."""
        with self._lock:
            ended, self._ended, self._given = self._ended, True, None
        if not ended and self._inside is not None:
            self._inside.run(_close_generator, responses)

    def finish(self) -> None:
        """Gives the call the status of its cut, to be sent when the answers are over."""
        if self.error is None:
            return
        code, details, trailing_metadata = to_status(self.error)
        self._context.set_code(code)
        self._context.set_details(details)
        self._context.set_trailing_metadata(trailing_metadata)


def _close_generator(responses: Any) -> None:
    """Closes a generator; other iterators have nothing to end."""
    close = getattr(responses, "close", None)
    if close is not None:
        close()
