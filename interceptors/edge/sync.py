"""A process's tie to its authority, for threads: channel, mandates, feed and guards."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Any

import grpc

from caracal_grpc.core.limits import DEFAULT_MAX_STALENESS
from caracal_grpc.core.ports import Clock
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.interceptors.client.sync.tokens import SyncTokens
from caracal_grpc.interceptors.edge import guarding
from caracal_grpc.interceptors.edge.consumer import SyncConsumer
from caracal_grpc.interceptors.edge.credentials import SyncCredentials
from caracal_grpc.interceptors.edge.health import SyncHealth
from caracal_grpc.interceptors.edge.narrowing_sync import SyncNarrowing
from caracal_grpc.interceptors.edge.settings import SYSTEM, ProfileSource, Settings
from caracal_grpc.interceptors.feed.pace import not_ready
from caracal_grpc.interceptors.feed.sync import SyncFeed
from caracal_grpc.interceptors.guard.gate import OnRefusal
from caracal_grpc.interceptors.guard.sync.guard import DEFAULT_MAX_HANDLERS, SyncGuard
from caracal_grpc.interceptors.guard.verifier import Verifier
from caracal_grpc.interceptors.observer import Observer
from caracal_grpc.interceptors.records.recording import Recording
from caracal_grpc.interceptors.records.records import Records
from caracal_grpc.interceptors.records.sync import SyncSender
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.sessions.approvals import WaitForApprovals


def connect_sync(
    profile: ProfileSource = None,
    *,
    max_staleness: float = DEFAULT_MAX_STALENESS,
    rules: Rules | None = None,
    bound: bool | None = None,
    max_handlers: int = DEFAULT_MAX_HANDLERS,
    telemetry: bool | Observer = False,
    record: Recording | bool = True,
    approvals: WaitForApprovals | None = None,
    clock: Clock = SYSTEM,
) -> SyncEdge:
    """The tie to the authority of `profile`, to be used as `with connect_sync(...) as edge:`.

    `max_handlers` bounds the threads of streaming handlers behind each of its guards; see
    `SyncGuard`. All else is as with `connect`.
    """
    settings = Settings.of(
        profile,
        max_staleness=max_staleness,
        rules=rules,
        bound=bound,
        telemetry=telemetry,
        record=record,
        approvals=approvals,
        clock=clock,
    )
    return SyncEdge(settings, max_handlers=max_handlers)


class SyncEdge(SyncNarrowing):
    """One process's tie to one authority, shared by its threads; made by `connect_sync`."""

    def __init__(self, settings: Settings, *, max_handlers: int = DEFAULT_MAX_HANDLERS) -> None:
        super().__init__(settings)
        self._max_handlers = max_handlers
        self._feed: SyncFeed | None = None
        self._verifier: Verifier | None = None
        self._records: Records | None = None

    def __enter__(self) -> SyncEdge:
        return self.open()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def open(self) -> SyncEdge:
        """Makes the channel, without a word to the authority; again is no error."""
        self._opened()
        return self

    def guard(
        self, rules: Rules | None = None, *, on_refusal: OnRefusal | None = None
    ) -> SyncGuard:
        """A server interceptor for `grpc.server`, the last in its list; the edge closes it.

        The first one starts the feed. Until the feed has arrived the guard refuses with
        `AUTHORITY_STALE`; `ready` waits for that. `on_refusal` is told of each refused call.
        Mandates that a method takes once it consumes at the authority, as this application.
        """
        settings = self._settings
        with self._lock:
            feed, verifier = self._watching()
            guard = SyncGuard(
                feed.view,
                rules or settings.rules,
                verifier,
                clock=settings.clock,
                on_refusal=on_refusal,
                max_handlers=self._max_handlers,
                recorder=records.recorder if (records := self._records) else None,
                observer=settings.observer,
                consumer=self._consumer(),
            )
            self._stack.callback(guard.close)
            if settings.observer is not None:
                settings.observer.watch(feed.view, guard)
        return guard

    @property
    def dropped(self) -> int:
        """How many decisions of its guards will not be in the ledger, for want of room."""
        return self._records.outbox.dropped if self._records is not None else 0

    def report_health(
        self, servicer: Any, names: Iterable[str] = ("",), *, records: Iterable[str] = ()
    ) -> None:
        """As `Edge.report_health`, for a `grpc_health.v1.health.HealthServicer`."""
        with self._lock:
            _, verifier = self._watching()
            outbox = self._records.outbox if self._records is not None else None
            for told, holds in (
                (names, lambda: verifier.fresh),
                (records, lambda: outbox is None or outbox.healthy),
            ):
                if told:
                    report = SyncHealth(servicer, told, holds)
                    report.start()
                    self._stack.callback(report.close)

    def ready(self, timeout: float = 10.0) -> None:
        """Waits until guards can judge; without a guard, until the authority can be reached.

        Raises `AUTHORITY_STALE` after `timeout` seconds; the edge goes on trying.
        """
        channel, _ = self._opened()
        if self._feed is not None:
            self._feed.ready(timeout)
            return
        connected = grpc.channel_ready_future(channel)
        try:
            connected.result(timeout)
        except grpc.FutureTimeoutError:
            connected.cancel()
            raise not_ready(timeout) from None

    def _consumer(self) -> SyncConsumer:
        """What the guards consume mandates by, as this application."""
        self._opened()
        return SyncConsumer(self._control, SystemIds(), self.profile.zone)

    def _recording(self, channel: grpc.Channel, tokens: SyncTokens) -> None:
        records = self._settings.records()
        if records is not None:
            sender = SyncSender(channel, tokens, records.sender, records.outbox)
            self._stack.callback(sender.close)
            sender.start()
            if self._settings.observer is not None:
                self._settings.observer.watch_records(records.outbox)
        self._records = records

    def _watching(self) -> tuple[SyncFeed, Verifier]:
        channel, tokens = self._opened()
        if self._feed is None or self._verifier is None:
            if self._records is None:
                self._recording(channel, tokens)
            settings = self._settings
            binding = settings.identity.binding()
            view = settings.view()
            feed = SyncFeed(channel, view, SyncCredentials(tokens, settings.clock, binding))
            self._stack.callback(feed.close)
            guarding.begin(self.profile)
            self._stack.callback(guarding.end, self.profile)
            self._feed, self._verifier = feed, settings.verifier(view)
            feed.start()
        return self._feed, self._verifier
