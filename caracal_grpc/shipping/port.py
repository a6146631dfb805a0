"""The ports of shipping: what makes bytes of records, and what takes them.

Adding a format: a class described as `Format` in `shipping/formats/` (or a `Shape` of objects, see
`objects.py`), in `shipping/formats/table.py`, and its name in `settings/shipping.py`.
Adding a sink: a class described as `Sink`, its settings in `settings/shipping.py`, and the pair in
`shipping/making.py`.
"""

from __future__ import annotations

from typing import Protocol

from caracal_grpc.shipping.record import Batch, Record

__all__ = ["Batch", "Format", "Record", "Sink", "SinkRefusedError", "SinkUnavailableError"]


class SinkUnavailableError(Exception):
    """A batch did not arrive, or nobody knows whether it did: it is sent again, the same.

    The text says why, without what was sent and without secrets. `retry_after` is the seconds that
    the receiver asked for.
    """

    def __init__(self, why: str, retry_after: float | None = None) -> None:
        super().__init__(why)
        self.retry_after = retry_after


class SinkRefusedError(Exception):
    """A batch that the receiver will never take: the sink stops there and raises an alarm.

    Nothing is passed over: it goes on with this very batch when the process is started again. The
    text says why, without what was sent and without secrets.
    """


class Format(Protocol):
    """What a record looks like to a receiver. Pure, and the same for the same record every time."""

    @property
    def content_type(self) -> str:
        """The media type of `body`."""
        ...

    def line(self, record: Record) -> bytes:
        """One record in UTF-8 without any line end: a line of a file, the text of a syslog message.

        Raises `ValueError` when its entry cannot be read.
        """
        ...

    def body(self, batch: Batch) -> bytes:
        """All of a batch, as one HTTP request sends it. Raises `ValueError` as `line` does."""
        ...

    def refused(self, answer: bytes) -> str:
        """Why the receiver did not take all of a batch although it answered 2xx, from the body of
        its answer; empty when it took all.
        """
        ...


class Sink(Protocol):
    """Where batches go. One task uses it, and one batch is on its way at a time."""

    async def open(self) -> None:
        """Prepares to send: before the first batch, and again after any that failed.

        Raises `SinkUnavailableError` or `SinkRefusedError`.
        """
        ...

    async def send(self, batch: Batch) -> None:
        """Returns when the batch is durable at the receiver, as far as its protocol tells.

        A batch may come a second time, whole or with others behind it: at least once. Raises
        `SinkUnavailableError` or `SinkRefusedError`, after which any part of it may have arrived.
        """
        ...

    async def close(self) -> None:
        """Lets go of what is open, at any time and more than once."""
        ...
