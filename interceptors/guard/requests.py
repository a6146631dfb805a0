"""The requests of a stream, as a plain iterator that ends with its mandate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from caracal_grpc.core.errors import CaracalError


class Cuttable(Protocol):
    """What says whether the stream was cut."""

    @property
    def error(self) -> CaracalError | None:
        """Why the stream was cut; `None` while it lives."""
        ...


class SyncRequests:
    """Raises the reason of the cut to a handler that reads on.

    It never merely ends: an upload that was cut must not look like one that is complete.
    """

    __slots__ = ("_requests", "_stream")

    def __init__(self, requests: Iterator[Any], stream: Cuttable) -> None:
        self._requests = requests
        self._stream = stream

    def __iter__(self) -> SyncRequests:
        return self

    def __next__(self) -> Any:
        self._require_alive()
        try:
            return next(self._requests)
        finally:
            self._require_alive()

    def _require_alive(self) -> None:
        if self._stream.error is not None:
            raise self._stream.error
