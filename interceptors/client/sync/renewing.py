"""Calls of synchronous channels: one that was never sent, and one that may be made again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, NoReturn

import grpc

from caracal_grpc.interceptors.client.tries import Tries
from caracal_grpc.interceptors.status import Status

Renew = Callable[[], Any]
"""Makes the call anew, with a fresh mandate; `None` when there is none to be had."""


class FailedCall(grpc.RpcError, grpc.Call, grpc.Future):  # type: ignore[type-arg]
    """A call that ended with `status` without being sent: error, call, future and iterator in one,
    as grpc's own failed calls are.
    """

    def __init__(self, status: Status) -> None:
        super().__init__(f"{status.code.name}: {status.details}")
        self._status = status

    def code(self) -> grpc.StatusCode:
        """The status code."""
        return self._status.code

    def details(self) -> str:
        """The text of the status."""
        return self._status.details

    def debug_error_string(self) -> str:
        """The same text; there is no more."""
        return str(self)

    def initial_metadata(self) -> Any:
        """None: there was no server."""
        return ()

    def trailing_metadata(self) -> Any:
        """That of the exchange that failed, or of the refusal made here."""
        return self._status.trailing_metadata

    def is_active(self) -> bool:
        """Never."""
        return False

    def running(self) -> bool:
        """Never."""
        return False

    def cancel(self) -> bool:
        """There is nothing to cancel."""
        return False

    def cancelled(self) -> bool:
        """Never."""
        return False

    def done(self) -> bool:
        """From the beginning."""
        return True

    def time_remaining(self) -> float:
        """Nothing."""
        return 0.0

    def add_callback(self, callback: Callable[[], None]) -> bool:  # noqa: ARG002
        """Too late for one."""
        return False

    def add_done_callback(self, fn: Callable[[Any], None]) -> None:
        """Calls `fn` at once."""
        fn(self)

    def result(self, timeout: float | None = None) -> NoReturn:  # noqa: ARG002
        """Raises this error."""
        raise self

    def exception(self, timeout: float | None = None) -> FailedCall:  # noqa: ARG002
        """This error."""
        return self

    def traceback(self, timeout: float | None = None) -> TracebackType | None:  # noqa: ARG002
        """Where it was raised, if it was."""
        return self.__traceback__

    def __iter__(self) -> FailedCall:
        return self

    def __next__(self) -> NoReturn:
        raise self


class RenewingStream:
    """A call with a stream of responses that its reader makes again, as its `tries` allow.

    One that is opened again whenever its mandate expired begins from the start, with the same
    request: its responses follow those of before. Everything but reading and `cancel` is that of
    the call in use: a callback that is added to it sees its end.
    """

    def __init__(self, call: Any, renew: Renew, tries: Tries) -> None:
        self._call = call
        self._renew = renew
        self._tries = tries
        self._lock = threading.Lock()
        self._cancelled = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)

    def __iter__(self) -> RenewingStream:
        return self

    def __next__(self) -> Any:
        while True:
            try:
                response = next(self._call)
            except grpc.RpcError as error:
                if not self._goes_on(error):
                    raise
            else:
                self._tries.heard()
                return response

    def cancel(self) -> bool:
        """Ends the call, and the one that its reader may just be making; whether there was any."""
        with self._lock:
            self._cancelled = True
            return bool(self._call.cancel())

    def _goes_on(self, ended: Any) -> bool:
        """Whether there is another call in the place of the one that ended so."""
        if self._cancelled or not self._tries.another(ended.code(), ended.trailing_metadata()):
            return False
        again = self._renew()
        if again is None:
            return False
        with self._lock:
            self._call = again
            if self._cancelled:
                again.cancel()
        self._tries.made()
        return True


# Interceptors of others look at the type of what they are given.
grpc.Call.register(RenewingStream)
grpc.Future.register(RenewingStream)
