"""A process's tie to its authority, for asyncio: channel, mandates, feed and guards."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Final

import grpc

from caracal_grpc.core.limits import DEFAULT_MAX_STALENESS
from caracal_grpc.core.ports import Clock
from caracal_grpc.crypto.system import SystemClock, SystemIds
from caracal_grpc.interceptors.client.aio import interceptors as client_aio
from caracal_grpc.interceptors.client.aio.tokens import AioExchanger, AioTokens
from caracal_grpc.interceptors.client.attachment import OnBehalf
from caracal_grpc.interceptors.client.channel import Identity, Options
from caracal_grpc.interceptors.client.exchange import edge_closed
from caracal_grpc.interceptors.client.observed import aio_exchange_of
from caracal_grpc.interceptors.client.tokens import Ask, ExchangeError
from caracal_grpc.interceptors.edge import guarding
from caracal_grpc.interceptors.edge.credentials import AioCredentials
from caracal_grpc.interceptors.edge.health import AioHealth
from caracal_grpc.interceptors.feed.aio import AioFeed
from caracal_grpc.interceptors.feed.feed_view import FeedView
from caracal_grpc.interceptors.feed.pace import not_ready
from caracal_grpc.interceptors.guard.aio.guard import AioGuard
from caracal_grpc.interceptors.guard.gate import OnRefusal
from caracal_grpc.interceptors.guard.observed import cache_of
from caracal_grpc.interceptors.guard.verifier import Verifier
from caracal_grpc.interceptors.observer import Observer, observer_of
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.interceptors.rules.rules import Rules

_SYSTEM: Final = SystemClock()


def connect(
    profile: Profile | str | os.PathLike[str] | None = None,
    *,
    max_staleness: float = DEFAULT_MAX_STALENESS,
    rules: Rules | None = None,
    bound: bool | None = None,
    telemetry: bool | Observer = False,
    clock: Clock = _SYSTEM,
) -> Edge:
    """The tie to the authority of `profile`, to be used as `async with connect(...) as edge:`.

    `profile` may be the path of its file; without one `CARACAL_PROFILE` names it. `rules` are those
    of the guards and of the client side, by default what the loaded descriptors declare. A guard
    refuses when it has not heard of the authority for `max_staleness` seconds. `bound` is whether
    mandates are bound to the client certificate of the profile, by default when it has one; say no
    where a proxy ends TLS before the authority or before the services. `telemetry` turns on
    spans, metrics and a log line for each refusal, through OpenTelemetry; or give an observer of
    your own. Raises `FIELD_INVALID` for a bad profile, and for telemetry without the extra
    `telemetry`. Nothing is opened before it is needed, and no feed unless there is a guard.
    """
    return Edge(
        Profile.of(profile),
        max_staleness=max_staleness,
        rules=rules,
        bound=bound,
        telemetry=telemetry,
        clock=clock,
    )


class Edge:
    """One process's tie to one authority, on one event loop; made by `connect`."""

    def __init__(
        self,
        profile: Profile,
        *,
        max_staleness: float = DEFAULT_MAX_STALENESS,
        rules: Rules | None = None,
        bound: bool | None = None,
        telemetry: bool | Observer = False,
        clock: Clock = _SYSTEM,
    ) -> None:
        self.profile = profile
        self._observer = observer_of(telemetry, profile.zone)
        self._rules = rules or Rules.default()
        self._identity = Identity.of(profile, bound)
        self._clock = clock
        self._max_staleness = max_staleness
        self._tie: tuple[grpc.aio.Channel, AioTokens] | None = None
        self._feed: AioFeed | None = None
        self._verifier: Verifier | None = None
        self._guards: list[AioGuard] = []
        self._reports: list[AioHealth] = []
        self._channels: list[grpc.aio.Channel] = []
        self._closed = False

    async def __aenter__(self) -> Edge:
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def open(self) -> Edge:
        """Ties the edge to the running loop, without a word to anyone; again is no error."""
        self._opened()
        return self

    async def guard(
        self, rules: Rules | None = None, *, on_refusal: OnRefusal | None = None
    ) -> AioGuard:
        """A server interceptor for `grpc.aio.server`, the last in its list; the edge closes it.

        The first one starts the feed. Until the feed has arrived the guard refuses with
        `AUTHORITY_STALE`; `ready` waits for that. `on_refusal` is told of each refused call.
        """
        feed, verifier = await self._watching()
        guard = AioGuard(
            feed.view,
            rules or self._rules,
            verifier,
            clock=self._clock,
            on_refusal=on_refusal,
            observer=self._observer,
        )
        self._guards.append(guard)
        if self._observer is not None:
            self._observer.watch(feed.view, guard)
        return guard

    async def report_health(self, servicer: Any, names: Iterable[str] = ("",)) -> None:
        """Keeps `names` in the health service `servicer` (`grpc_health.v1.health.aio`) in step with
        the guards: `NOT_SERVING` while they would refuse every call as stale, else `SERVING`.

        The empty name is the whole server. A change shows within a quarter of a second; the edge
        reports `NOT_SERVING` when it is closed.
        """
        _, verifier = await self._watching()
        report = AioHealth(servicer, names, lambda: verifier.fresh)
        await report.start()
        self._reports.append(report)

    def client_interceptors(
        self,
        *,
        on_behalf: OnBehalf | None = None,
        session: str | None = None,
        rules: Rules | None = None,
        bound: bool | None = None,
    ) -> list[grpc.aio.ClientInterceptor]:
        """The interceptors of one outgoing `grpc.aio` channel, which must be TLS or loopback.

        Calls act on behalf of the caller whose call is being handled: "exchange" for a mandate of
        their own, or "forward" the caller's. Without a caller they are refused (`MANDATE_MISSING`),
        for a context that was lost on the way into a thread must not give a call more authority
        than its caller has. What the application does by itself goes over a channel of "self".
        "either" is both: on behalf of the caller, as itself without one. The default is "exchange"
        where this application guards calls in this process, and "either" where it does not.

        `bound` mandates, by default those of an edge that is, are good only over mutual TLS with
        the client certificate of the profile; `channel` makes such a channel.
        """
        tokens = self._opened()[1]
        return client_aio.client_interceptors(
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
    ) -> grpc.aio.Channel:
        """A channel to a guarded service, by whose calls mandates go along; the edge closes it.

        It is mutual TLS with the client certificate of the profile, the one that mandates are bound
        to, TLS when there is none, and plaintext to loopback when the profile is. `roots` is the
        PEM that the service is checked against, by default that of the profile; the rest is as with
        `client_interceptors`.
        """
        interceptors = self.client_interceptors(
            on_behalf=on_behalf, session=session, rules=rules, bound=bound
        )
        channel = self._identity.aio_service(target, interceptors, roots, options)
        self._channels.append(channel)
        return channel

    def authority_channel(
        self, *, on_behalf: OnBehalf = "self", session: str | None = None
    ) -> grpc.aio.Channel:
        """A channel to the authority's own services, such as sessions and revocations, which
        carries the mandate that each asks for; the edge closes it.
        """
        interceptors = self.client_interceptors(on_behalf=on_behalf, session=session)
        channel = self._identity.aio(interceptors)
        self._channels.append(channel)
        return channel

    async def exchange(
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

        Raises `grpc.aio.AioRpcError` with the status of the exchange; `from_rpc_error` reads it.
        """
        binding = self._identity.binding(bound)
        ask = Ask(resource, frozenset(scopes), subject_token, session, ttl, binding)
        try:
            return await self._opened()[1].get(ask, timeout)
        except ExchangeError as error:
            raise client_aio.aio_error(error.status) from error

    async def ready(self, timeout: float = 10.0) -> None:
        """Waits until guards can judge; without a guard, until the authority can be reached.

        Raises `AUTHORITY_STALE` after `timeout` seconds; the edge goes on trying.
        """
        channel, _ = self._opened()
        if self._feed is not None:
            await self._feed.ready(timeout)
            return
        try:
            async with asyncio.timeout(timeout):
                await channel.channel_ready()
        except TimeoutError:
            raise not_ready(timeout) from None

    async def close(self) -> None:
        """Ends all that the edge began; call it after the server stopped. Again is no error."""
        if self._feed is not None and not self._closed:
            guarding.end(self.profile)
        self._closed = True
        guards, self._guards = self._guards, []
        reports, self._reports = self._reports, []
        for report in reports:
            await report.close()
        for guard in guards:
            await guard.close()
        if self._feed is not None:
            await self._feed.close()
        for opened in self._channels:
            await opened.close()
        if self._tie is not None:
            channel, tokens = self._tie
            await tokens.close()
            await channel.close()
        if self._observer is not None:
            self._observer.close()

    def _opened(self) -> tuple[grpc.aio.Channel, AioTokens]:
        if self._closed:
            raise client_aio.aio_error(edge_closed().status)
        if self._tie is None:
            channel = self._identity.aio()
            exchanger = AioExchanger(channel, self.profile, SystemIds())
            exchange = aio_exchange_of(exchanger, self._observer)
            self._tie = channel, AioTokens(exchange, self._clock)
        return self._tie

    async def _watching(self) -> tuple[AioFeed, Verifier]:
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
            self._feed = AioFeed(
                channel, view, AioCredentials(tokens, clock, self._identity.binding())
            )
            await self._feed.start()
        return self._feed, self._verifier
