"""A process's tie to its authority, for asyncio: channel, mandates, feed and guards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import Any

import grpc.aio

from caracal_grpc.core.limits import DEFAULT_MAX_STALENESS
from caracal_grpc.core.ports import Clock
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.interceptors.client.aio.tokens import AioTokens
from caracal_grpc.interceptors.edge import guarding
from caracal_grpc.interceptors.edge.consumer import AioConsumer
from caracal_grpc.interceptors.edge.credentials import AioCredentials
from caracal_grpc.interceptors.edge.health import AioHealth
from caracal_grpc.interceptors.edge.narrowing_aio import AioNarrowing
from caracal_grpc.interceptors.edge.settings import SYSTEM, ProfileSource, Settings
from caracal_grpc.interceptors.feed.aio import AioFeed
from caracal_grpc.interceptors.feed.pace import not_ready
from caracal_grpc.interceptors.guard.aio.guard import AioGuard
from caracal_grpc.interceptors.guard.aio.verdicts import AioVerdicts
from caracal_grpc.interceptors.guard.gate import OnRefusal, RuleSource
from caracal_grpc.interceptors.guard.verifier import Verifier
from caracal_grpc.interceptors.observer import Observer
from caracal_grpc.interceptors.records.aio import AioSender
from caracal_grpc.interceptors.records.recording import Recording
from caracal_grpc.interceptors.records.records import Records
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.sessions.approvals import WaitForApprovals


def connect(
    profile: ProfileSource = None,
    *,
    max_staleness: float = DEFAULT_MAX_STALENESS,
    rules: Rules | None = None,
    bound: bool | None = None,
    telemetry: bool | Observer = False,
    record: Recording | bool = True,
    approvals: WaitForApprovals | None = None,
    clock: Clock = SYSTEM,
) -> Edge:
    """The tie to the authority of `profile`, to be used as `async with connect(...) as edge:`.

    `profile` may be the path of its file; without one `CARACAL_PROFILE` names it. `rules` are those
    of the guards and of the client side, by default what the loaded descriptors declare. A guard
    refuses when it has not heard of the authority for `max_staleness` seconds. `bound` is whether
    mandates are bound to the client certificate of the profile, by default when it has one; say no
    where a proxy ends TLS before the authority or before the services. `telemetry` turns on
    spans, metrics and a log line for each refusal, through OpenTelemetry; or give an observer of
    your own. `record` is whether what the guards decide goes into the authority's ledger: by
    default every refusal, `Recording` says more, and `False` is nothing. With `approvals`, what
    policy holds until somebody approves it is waited for; without, it is refused with
    `STEP_UP_REQUIRED`. Raises `FIELD_INVALID` for a bad profile, and for telemetry without the
    extra `telemetry`. Nothing is opened before it is needed, and no feed unless there is a guard.
    """
    return Edge(
        Settings.of(
            profile,
            max_staleness=max_staleness,
            rules=rules,
            bound=bound,
            telemetry=telemetry,
            record=record,
            approvals=approvals,
            clock=clock,
        )
    )


class Edge(AioNarrowing):
    """One process's tie to one authority, on one event loop; made by `connect`."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._feed: AioFeed | None = None
        self._verifier: Verifier | None = None
        self._records: Records | None = None
        self._judges = False
        self._beginning = asyncio.Lock()

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
        Mandates that a method takes once it consumes at the authority, as this application.
        """
        feed, verifier = await self._watching()
        settings = self._settings
        guard = AioGuard(
            feed.view,
            rules or settings.rules,
            verifier,
            clock=settings.clock,
            on_refusal=on_refusal,
            recorder=records.recorder if (records := self._records) else None,
            observer=settings.observer,
            consumer=self._consumer(),
        )
        self._stack.push_async_callback(guard.close)
        if settings.observer is not None:
            settings.observer.watch(feed.view, guard)
        return guard

    async def verdicts(
        self, rules: RuleSource | None = None, *, on_refusal: OnRefusal | None = None
    ) -> AioVerdicts:
        """The verdicts of a guard on calls that another process serves, and a proxy lets through.

        What `guard` says of the feed, of refusals and of mandates that are taken once holds here.
        """
        feed, verifier = await self._watching()
        settings = self._settings
        verdicts = AioVerdicts(
            feed.view,
            rules or settings.rules,
            verifier,
            on_refusal=on_refusal,
            recorder=records.recorder if (records := self._records) else None,
            observer=settings.observer,
            consumer=self._consumer(),
        )
        # They cut no streams: what there is to tell of all of them is the age of the one feed.
        if settings.observer is not None and not self._judges:
            self._judges = True
            settings.observer.watch(feed.view, verdicts)
        return verdicts

    @property
    def dropped(self) -> int:
        """How many decisions of its guards will not be in the ledger, for want of room."""
        return self._records.outbox.dropped if self._records is not None else 0

    async def report_health(
        self, servicer: Any, names: Iterable[str] = ("",), *, records: Iterable[str] = ()
    ) -> None:
        """Keeps `names` in the health service `servicer` (`grpc_health.v1.health.aio`) in step with
        the guards: `NOT_SERVING` while they would refuse every call as stale, else `SERVING`.

        The empty name is the whole server. A change shows within a quarter of a second; the edge
        reports `NOT_SERVING` when it is closed. `records` are other names, such as `caracal.audit`,
        in step with what goes into the ledger: `NOT_SERVING` for a minute after some of it had to
        be dropped, and while more than 80 % of the memory for it is taken.
        """
        _, verifier = await self._watching()
        outbox = self._records.outbox if self._records is not None else None
        for told, holds in (
            (names, lambda: verifier.fresh),
            (records, lambda: outbox is None or outbox.healthy),
        ):
            if told:
                report = AioHealth(servicer, told, holds)
                await report.start()
                self._stack.push_async_callback(report.close)

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

    def _consumer(self) -> AioConsumer:
        """What the guards consume mandates by, as this application."""
        self._opened()
        return AioConsumer(self._control, SystemIds(), self.profile.zone)

    async def _recording(self, channel: grpc.aio.Channel, tokens: AioTokens) -> None:
        records = await asyncio.to_thread(self._settings.records)
        if self._closed and records is not None:
            await asyncio.to_thread(records.outbox.close)
        self._opened()  # a stub that is made on a channel closed meanwhile never returns
        if records is not None:
            sender = AioSender(channel, tokens, records.sender, records.outbox)
            self._stack.push_async_callback(sender.close)
            await sender.start()
            if self._settings.observer is not None:
                self._settings.observer.watch_records(records.outbox)
        self._records = records

    async def _watching(self) -> tuple[AioFeed, Verifier]:
        async with self._beginning:
            return await self._begun()

    async def _begun(self) -> tuple[AioFeed, Verifier]:
        channel, tokens = self._opened()
        if self._feed is None or self._verifier is None:
            if self._records is None:
                await self._recording(channel, tokens)
            settings = self._settings
            binding = settings.identity.binding()
            view = settings.view()
            feed = AioFeed(channel, view, AioCredentials(tokens, settings.clock, binding))
            self._stack.push_async_callback(feed.close)
            guarding.begin(self.profile)
            self._stack.callback(guarding.end, self.profile)
            self._feed, self._verifier = feed, settings.verifier(view)
            await feed.start()
        return self._feed, self._verifier
