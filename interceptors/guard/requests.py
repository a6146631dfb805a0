"""The requests of a stream, as a plain iterator that ends with its mandate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.interceptors.guard.gate import Inspect


class Cuttable(Protocol):
    """What cuts the stream, and says whether it was cut."""

    @property
    def error(self) -> CaracalError | None:
        """Why the stream was cut; `None` while it lives."""
        ...

    def cut(self, error: CaracalError) -> None:
        """Ends the stream with `error`."""
        ...


class SyncRequests:
    """Raises the reason of the cut to a handler that reads on.

    It never merely ends: an upload that was cut must not look like one that is complete. A message
    that does not pass `inspect` cuts it.
    """

    __slots__ = ("_inspect", "_requests", "_stream")

    def __init__(self, requests: Iterator[Any], stream: Cuttable, inspect: Inspect | None) -> None:
        self._requests = requests
        self._stream = stream
        self._inspect = inspect

    def __iter__(self) -> SyncRequests:
        return self

    def __next__(self) -> Any:
        self._require_alive()
        try:
            message = next(self._requests)
        finally:
            self._require_alive()
        if self._inspect is not None:
            error = self._inspect(message)
            if error is not None:
                self._stream.cut(error)
                raise error
        return message

    def _require_alive(self) -> None:
        if self._stream.error is not None:
            raise self._stream.error
