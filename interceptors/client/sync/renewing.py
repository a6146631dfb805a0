"""Calls of synchronous channels: one that failed before it was sent, one that may be made anew."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, NoReturn

import grpc

from caracal_grpc.interceptors.status import Status

Renew = Callable[[Any], Any]
"""Makes the call anew after a refusal that a fresh mandate could mend; otherwise `None`."""


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
    """A call with a stream of responses that its reader makes once more, when it was refused before
    any response.

    Everything but reading is that of the call in use: a callback that is added before the first
    response sees the end of the first call.
    """

    def __init__(self, call: Any, renew: Renew) -> None:
        self._call = call
        self._renew: Renew | None = renew

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)

    def __iter__(self) -> RenewingStream:
        return self

    def __next__(self) -> Any:
        try:
            response = next(self._call)
        except grpc.RpcError as error:
            renew, self._renew = self._renew, None
            again = None if renew is None else renew(error)
            if again is None:
                raise
            self._call = again
            return next(again)
        self._renew = None
        return response


# Interceptors of others look at the type of what they are given.
grpc.Call.register(RenewingStream)
grpc.Future.register(RenewingStream)
