"""What an edge says of itself when the authority asks how far it is, and how it gets there.

A word is asked for only while somebody waits for a revocation to be everywhere, again each second
until it has come. So one that fails is not repeated here, and of those that queue the last will do.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from typing import Any, Final

import grpc

from caracal_grpc.interceptors.feed.feed_view import FeedView
from caracal_grpc.interceptors.feed.pace import what_failed
from caracal_grpc.v1 import revocation_service_pb2

_log: Final = logging.getLogger("caracal.feed")

_TIMEOUT: Final = 5.0

Word = revocation_service_pb2.RevocationServiceAcknowledgeRequest
Metadata = tuple[tuple[str, str], ...]


class Words:
    """The words of one stream, which is known by the id in its first heartbeat."""

    __slots__ = ("_feed_id", "_view")

    def __init__(self, view: FeedView) -> None:
        self._view = view
        self._feed_id = ""

    def after(self, message: revocation_service_pb2.RevocationServiceWatchResponse) -> Word | None:
        """What to say once `message` is applied; `None` unless it was asked for and is true."""
        beat, view = message.heartbeat, self._view
        self._feed_id = beat.feed_id or self._feed_id
        applied = view.complete and view.revision >= message.revision
        if not (beat.acknowledge and self._feed_id and applied):
            return None
        return Word(zone=view.zone, feed_id=self._feed_id, revision=message.revision)


class AioSpeaker:
    """Says the words of one stream on an event loop, one at a time, beside what reads the stream.

    `acknowledge` is the method of the authority, `metadata` what authorises the stream.
    """

    def __init__(self, acknowledge: Any, metadata: Metadata) -> None:
        self._acknowledge = acknowledge
        self._metadata = metadata
        self._next: Word | None = None
        self._task: asyncio.Task[None] | None = None

    def say(self, word: Word) -> None:
        """Says `word` now, or after the one that is being said."""
        self._next = word
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="caracal-feed-word")

    async def close(self) -> None:
        """Gives up what is being said."""
        self._next = None
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while (word := self._next) is not None:
            self._next = None
            try:
                await self._acknowledge(word, timeout=_TIMEOUT, metadata=self._metadata)
            except grpc.RpcError as error:
                _note(error)


class SyncSpeaker:
    """The same for threads: gRPC's own carry the calls."""

    def __init__(self, acknowledge: Any, metadata: Metadata) -> None:
        self._acknowledge = acknowledge
        self._metadata = metadata
        self._lock = threading.RLock()  # a call may be over before it is told whom to tell
        self._next: Word | None = None
        self._call: Any = None
        self._closed = False

    def say(self, word: Word) -> None:
        """Says `word` now, or after the one that is being said."""
        with self._lock:
            self._next = word
            if self._call is None:
                self._send()

    def close(self) -> None:
        """Gives up what is being said."""
        with self._lock:
            self._closed, call = True, self._call
        if call is not None:
            call.cancel()

    def _send(self) -> None:
        word, self._next = self._next, None
        if word is None or self._closed:
            return
        self._call = self._acknowledge.future(word, timeout=_TIMEOUT, metadata=self._metadata)
        self._call.add_done_callback(self._done)

    def _done(self, call: Any) -> None:
        with self._lock:
            self._call = None
            if not (self._closed or call.code() is grpc.StatusCode.OK):
                _note(call)
            self._send()


def _note(error: Any) -> None:
    """An authority of an older release takes no words, which is nobody's fault."""
    if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
        _log.warning("the authority was not told how far the feed is: %s", what_failed(error))
