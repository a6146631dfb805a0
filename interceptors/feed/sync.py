"""Keeps a `FeedView` fed without an event loop: one owned thread, and one that watches over it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import grpc

from caracal_grpc.interceptors.feed.feed_view import FeedView
from caracal_grpc.interceptors.feed.pace import SILENCE, Pace, not_ready, what_failed
from caracal_grpc.interceptors.feed.words import Metadata, SyncSpeaker, Words
from caracal_grpc.v1 import revocation_service_pb2, revocation_service_pb2_grpc

_log: Final = logging.getLogger("caracal.feed")


class SyncFeed:
    """Watches the authority for `view` over `channel`, which stays the caller's to close.

    `credentials` gives a mandate with `use=session` and the scope `caracal:feed:watch`, anew for
    each stream, and must bound its own time. `silence` is in seconds. A blocked read of a sync
    stream has no timeout of its own, so a second thread cancels a stream that fell silent.
    """

    def __init__(
        self,
        channel: grpc.Channel,
        view: FeedView,
        credentials: Callable[[], str],
        *,
        silence: float = SILENCE,
    ) -> None:
        self.view = view
        self._stub: Any = revocation_service_pb2_grpc.RevocationServiceStub(channel)
        self._credentials = credentials
        self._silence = silence
        self._pace = Pace()
        self._fresh = threading.Event()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._call: Any = None
        self._heard = 0.0
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begins to watch; again is no error."""
        if self._threads:
            return
        for name, target in (("caracal-feed", self._run), ("caracal-feed-silence", self._guard)):
            thread = threading.Thread(target=target, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def ready(self, timeout: float) -> None:
        """Waits until the view has been complete and fresh once.

        Raises `AUTHORITY_STALE` after `timeout` seconds; the feed goes on trying.
        """
        if not self._fresh.wait(timeout):
            raise not_ready(timeout)

    def close(self) -> None:
        """Ends the watch and joins its threads; the view stays as it is and grows old."""
        self._closed.set()
        self._hang_up()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._follow()
            except Exception as exc:  # noqa: BLE001 - no failure may end the feed
                self._rest(exc)

    def _rest(self, exc: Exception) -> None:
        if self._closed.is_set():
            return
        pause = self._pace.pause()
        _log.warning("the feed broke off, again in %.1f s: %s", pause, what_failed(exc))
        self._closed.wait(pause)

    def _follow(self) -> None:
        """One stream, from its opening until it breaks, which raises."""
        token = self._credentials()
        self.view.begin()
        metadata = (("authorization", f"Bearer {token}"),)
        words, speaker = Words(self.view), SyncSpeaker(self._stub.Acknowledge, metadata)
        try:
            for message in self._open(metadata):
                self._heard = time.monotonic()
                self._take(message)
                if word := words.after(message):
                    speaker.say(word)
        finally:
            self._hang_up()
            speaker.close()
        raise ConnectionError("the authority ended the stream")

    def _open(self, metadata: Metadata) -> Any:
        with self._lock:
            self._heard = time.monotonic()
            request = revocation_service_pb2.RevocationServiceWatchRequest(zone=self.view.zone)
            self._call = self._stub.Watch(request, metadata=metadata)
            if self._closed.is_set():
                self._call.cancel()
            return self._call

    def _hang_up(self) -> None:
        with self._lock:
            if self._call is not None:
                self._call.cancel()
                self._call = None

    def _guard(self) -> None:
        while not self._closed.wait(self._silence / 4):
            if time.monotonic() - self._heard > self._silence:
                self._hang_up()

    def _take(self, message: revocation_service_pb2.RevocationServiceWatchResponse) -> None:
        self.view.apply(message)
        if message.HasField("heartbeat") and self.view.fresh:
            self._pace.succeeded()
            self._fresh.set()
