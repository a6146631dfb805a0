"""A process's tie to its authority, for threads: channel, mandates, feed and guards."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Final

import grpc

from caracal_grpc.core.limits import DEFAULT_MAX_STALENESS
from caracal_grpc.core.ports import Clock
from caracal_grpc.crypto.system import SystemClock, SystemIds
from caracal_grpc.interceptors.client.attachment import OnBehalf
from caracal_grpc.interceptors.client.channel import Identity, Options
from caracal_grpc.interceptors.client.exchange import edge_closed
from caracal_grpc.interceptors.client.observed import sync_exchange_of
from caracal_grpc.interceptors.client.sync import interceptors as client_sync
from caracal_grpc.interceptors.client.sync.renewing import FailedCall
from caracal_grpc.interceptors.client.sync.tokens import SyncExchanger, SyncTokens
from caracal_grpc.interceptors.client.tokens import Ask, ExchangeError
from caracal_grpc.interceptors.edge import guarding
from caracal_grpc.interceptors.edge.credentials import SyncCredentials
from caracal_grpc.interceptors.edge.health import SyncHealth
from caracal_grpc.interceptors.feed.feed_view import FeedView
from caracal_grpc.interceptors.feed.pace import not_ready
from caracal_grpc.interceptors.feed.sync import SyncFeed
from caracal_grpc.interceptors.guard.gate import OnRefusal
from caracal_grpc.interceptors.guard.observed import cache_of
from caracal_grpc.interceptors.guard.sync.guard import DEFAULT_MAX_HANDLERS, SyncGuard
from caracal_grpc.interceptors.guard.verifier import Verifier
from caracal_grpc.interceptors.observer import Observer, observer_of
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.interceptors.rules.rules import Rules

_SYSTEM: Final = SystemClock()


def connect_sync(
    profile: Profile | str | os.PathLike[str] | None = None,
    *,
    max_staleness: float = DEFAULT_MAX_STALENESS,
    rules: Rules | None = None,
    bound: bool | None = None,
    max_handlers: int = DEFAULT_MAX_HANDLERS,
    telemetry: bool | Observer = False,
    clock: Clock = _SYSTEM,
) -> SyncEdge:
    """The tie to the authority of `profile`, to be used as `with connect_sync(...) as edge:`.

    `max_handlers` bounds the threads of streaming handlers behind each of its guards; see
    `SyncGuard`. All else is as with `connect`.
    """
    return SyncEdge(
        Profile.of(profile),
        max_staleness=max_staleness,
        rules=rules,
        bound=bound,
        max_handlers=max_handlers,
        telemetry=telemetry,
        clock=clock,
    )


class SyncEdge:
    """One process's tie to one authority, shared by its threads; made by `connect_sync`."""

    def __init__(
        self,
        profile: Profile,
        *,
        max_staleness: float = DEFAULT_MAX_STALENESS,
        rules: Rules | None = None,
        bound: bool | None = None,
        max_handlers: int = DEFAULT_MAX_HANDLERS,
        telemetry: bool | Observer = False,
        clock: Clock = _SYSTEM,
    ) -> None:
        self.profile = profile
        self._observer = observer_of(telemetry, profile.zone)
        self._rules = rules or Rules.default()
        self._identity = Identity.of(profile, bound)
        self._max_handlers = max_handlers
        self._clock = clock
        self._max_staleness = max_staleness
        self._lock = threading.RLock()
        self._tie: tuple[grpc.Channel, SyncTokens] | None = None
        self._feed: SyncFeed | None = None
        self._verifier: Verifier | None = None
        self._guards: list[SyncGuard] = []
        self._reports: list[SyncHealth] = []
        self._channels: list[grpc.Channel] = []
        self._closed = False

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
        """
        with self._lock:
            feed, verifier = self._watching()
            guard = SyncGuard(
                feed.view,
                rules or self._rules,
                verifier,
                clock=self._clock,
                on_refusal=on_refusal,
                max_handlers=self._max_handlers,
                observer=self._observer,
            )
            self._guards.append(guard)
        if self._observer is not None:
            self._observer.watch(feed.view, guard)
        return guard

    def report_health(self, servicer: Any, names: Iterable[str] = ("",)) -> None:
        """As `Edge.report_health`, for a `grpc_health.v1.health.HealthServicer`."""
        with self._lock:
            _, verifier = self._watching()
            report = SyncHealth(servicer, names, lambda: verifier.fresh)
            report.start()
            self._reports.append(report)

    def client_interceptors(
        self,
        *,
        on_behalf: OnBehalf | None = None,
        session: str | None = None,
        rules: Rules | None = None,
        bound: bool | None = None,
    ) -> list[Any]:
        """The interceptors for `grpc.intercept_channel` over a channel, TLS or loopback.

        `on_behalf` and `bound` are as with `Edge.client_interceptors`.
        """
        tokens = self._opened()[1]
        return client_sync.client_interceptors(
            tokens,
            rules or self._rules,
            on_behalf=guarding.default_of(self.profile) if on_behalf is None else on_behalf,
            session=session,
            binding=self._identity.binding(bound),
        )

    def channel(
        self,
        target: str,
        *,
        roots: bytes | None = None,
        options: Options = (),
        on_behalf: OnBehalf | None = None,
        session: str | None = None,
        rules: Rules | None = None,
        bound: bool | None = None,
    ) -> grpc.Channel:
        """As `Edge.channel`, for threads."""
        interceptors = self.client_interceptors(
            on_behalf=on_behalf, session=session, rules=rules, bound=bound
        )
        return self._kept(self._identity.sync_service(target, roots, options), interceptors)

    def authority_channel(
        self, *, on_behalf: OnBehalf = "self", session: str | None = None
    ) -> grpc.Channel:
        """A channel to the authority's own services, such as sessions and revocations, which
        carries the mandate that each asks for; the edge closes it.
        """
        interceptors = self.client_interceptors(on_behalf=on_behalf, session=session)
        return self._kept(self._identity.sync(), interceptors)

    def exchange(
        self,
        resource: str,
        scopes: Iterable[str],
        *,
        subject_token: str | None = None,
        session: str | None = None,
        ttl: int | None = None,
        bound: bool | None = None,
        timeout: float | None = None,
    ) -> str:
        """A mandate for `scopes` on `resource`: the one that is held, while it is good.

        Raises `grpc.RpcError` with the status of the exchange; `from_rpc_error` reads it.
        """
        binding = self._identity.binding(bound)
        ask = Ask(resource, frozenset(scopes), subject_token, session, ttl, binding)
        try:
            return self._opened()[1].get(ask, timeout)
        except ExchangeError as error:
            raise FailedCall(error.status) from error

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

    def close(self) -> None:
        """Ends all that the edge began; call it after the server stopped. Again is no error."""
        with self._lock:
            self._closed = True
            guards, self._guards = self._guards, []
            reports, self._reports = self._reports, []
            channels, self._channels = self._channels, []
            feed, self._feed = self._feed, None
            tie, self._tie = self._tie, None
        if feed is not None:
            guarding.end(self.profile)
        for report in reports:
            report.close()
        for guard in guards:
            guard.close()
        if tie is not None:
            tie[1].close()
        if feed is not None:
            feed.close()
        for channel in channels:
            channel.close()
        if tie is not None:
            tie[0].close()
        if self._observer is not None:
            self._observer.close()

    def _opened(self) -> tuple[grpc.Channel, SyncTokens]:
        with self._lock:
            if self._closed:
                raise FailedCall(edge_closed().status)
            if self._tie is None:
                channel = self._identity.sync()
                exchanger = SyncExchanger(channel, self.profile, SystemIds())
                exchange = sync_exchange_of(exchanger, self._observer)
                self._tie = channel, SyncTokens(exchange, self._clock)
            return self._tie

    def _kept(self, channel: grpc.Channel, interceptors: list[Any]) -> grpc.Channel:
        with self._lock:
            self._channels.append(channel)
        return grpc.intercept_channel(channel, *interceptors)

    def _watching(self) -> tuple[SyncFeed, Verifier]:
        channel, tokens = self._opened()
        if self._feed is None or self._verifier is None:
            profile, clock = self.profile, self._clock
            stale = self._max_staleness
            view = FeedView(
                zone=profile.zone, issuer=profile.issuer, clock=clock, max_staleness=stale
            )
            guarding.begin(profile)
            cache = cache_of(self._observer)
            self._verifier = Verifier(view, clock=clock, max_staleness=stale, cache=cache)
            self._feed = SyncFeed(
                channel, view, SyncCredentials(tokens, clock, self._identity.binding())
            )
            self._feed.start()
        return self._feed, self._verifier
