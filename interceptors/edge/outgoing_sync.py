"""The outgoing half of an edge, for threads: mandates, and the channels that they go along."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

import grpc

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.interceptors.client.attachment import OnBehalf
from caracal_grpc.interceptors.client.channel import Options
from caracal_grpc.interceptors.client.exchange import OnReceipt, edge_closed, with_receipt
from caracal_grpc.interceptors.client.observed import sync_exchange_of
from caracal_grpc.interceptors.client.sync import interceptors as client_sync
from caracal_grpc.interceptors.client.sync.renewing import FailedCall
from caracal_grpc.interceptors.client.sync.tokens import SyncExchange, SyncExchanger, SyncTokens
from caracal_grpc.interceptors.client.sync.traced import traced, traced_tie
from caracal_grpc.interceptors.client.tokens import Ask, ExchangeError
from caracal_grpc.interceptors.context.session import (
    STANDING,
    InSession,
    Place,
    current_place,
    place_of,
)
from caracal_grpc.interceptors.edge.settings import Settings
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.sessions.control_sync import SyncControl
from caracal_grpc.interceptors.sessions.fates import Fates, SyncFated
from caracal_grpc.interceptors.sessions.release_sync import SyncRelease
from caracal_grpc.interceptors.sessions.sessions_sync import SyncSessions
from caracal_grpc.interceptors.status import to_status


class SyncOutgoing:
    """One channel to the authority, the mandates that came over it, and channels to services."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.profile = settings.profile
        self._lock = threading.RLock()
        self._tie: tuple[grpc.Channel, SyncTokens] | None = None
        self._sessions: SyncSessions
        self._closed = False
        self._stack = ExitStack()
        if settings.observer is not None:
            self._stack.callback(settings.observer.close)

    def client_interceptors(
        self,
        *,
        on_behalf: OnBehalf | None = None,
        session: Place = None,
        rules: Rules | None = None,
        bound: bool | None = None,
        reopen: bool = False,
    ) -> list[Any]:
        """The interceptors for `grpc.intercept_channel` over a channel, TLS or loopback.

        `on_behalf`, `session`, `bound` and `reopen` are as with `Edge.client_interceptors`.
        """
        settings = self._settings
        rules = rules or settings.rules
        interceptors = client_sync.client_interceptors(
            self._opened()[1],
            rules,
            on_behalf=settings.on_behalf(on_behalf),
            session=session,
            binding=settings.identity.binding(bound),
            reopen=reopen,
            application=settings.profile.application_id,
        )
        return traced(interceptors, settings.tracing(rules))

    def channel(
        self,
        target: str,
        *,
        roots: bytes | None = None,
        options: Options = (),
        on_behalf: OnBehalf | None = None,
        session: Place = None,
        rules: Rules | None = None,
        bound: bool | None = None,
        reopen: bool = False,
    ) -> grpc.Channel:
        """As `Edge.channel`, for threads."""
        interceptors = self.client_interceptors(
            on_behalf=on_behalf, session=session, rules=rules, bound=bound, reopen=reopen
        )
        identity = self._settings.identity
        channel = self._kept(lambda: identity.sync_service(target, roots, options))
        return grpc.intercept_channel(channel, *interceptors)

    def authority_channel(
        self, *, on_behalf: OnBehalf = "self", session: Place = None
    ) -> grpc.Channel:
        """A channel to the authority's own services, such as sessions and revocations, which
        carries the mandate that each asks for; the edge closes it.
        """
        interceptors = self.client_interceptors(on_behalf=on_behalf, session=session)
        return grpc.intercept_channel(self._kept(self._settings.identity.sync), *interceptors)

    def exchange(
        self,
        resource: str,
        scopes: Iterable[str],
        *,
        subject_token: str | None = None,
        session: Place = None,
        ttl: int | None = None,
        bound: bool | None = None,
        single_use: bool = False,
        approval_id: str | None = None,
        request_id: str | None = None,
        actor_token: str | None = None,
        on_receipt: OnReceipt | None = None,
        timeout: float | None = None,
    ) -> str:
        """A mandate for `scopes` on `resource`: the one that is held, while it is good.

        With `single_use` it is a new one, held for nobody else: for a method that takes it once.
        `approval_id` is the approval of a request that was refused with `STEP_UP_REQUIRED`, and
        everything else as it was; what it gives will do for calls that ask for the same. With a
        `request_id`, which is remembered by the authority for a minute, the same mandate is got
        again by any process of the application. `actor_token` is a mandate of this application, and
        its session the one to act in on behalf of the `subject_token`. `on_receipt` is told the
        proof that the decision is in the ledger, whose protobuf JSON is what `audit verify` checks,
        before the mandate is given back, which is a new one, too.

        Raises `grpc.RpcError` with the status of the exchange; `from_rpc_error` reads it.
        """
        binding = self._settings.identity.binding(bound)
        place = self._place(STANDING if actor_token and session is None else session)
        ask = Ask(
            resource,
            frozenset(scopes),
            subject_token,
            place.id or None,
            ttl,
            binding,
            single_use=single_use,
            generation=place.generation,
            approval=approval_id,
            request_id=request_id,
            actor_token=actor_token,
        )
        tokens = self._opened()[1]
        try:
            if on_receipt is None:
                return tokens.get(ask, timeout)
            granted = tokens.fresh(with_receipt(ask), timeout)
        except ExchangeError as error:
            raise FailedCall(error.status) from error
        if granted.receipt is not None:
            on_receipt(granted.receipt)
        return granted.token

    def close(self) -> None:
        """Ends all that the edge began, the latest first; call it after the server stopped.

        Each part is closed, whatever becomes of the others; then it raises what one raised. Again
        is no error.
        """
        with self._lock:
            self._closed = True
            parts = self._stack.pop_all()
        parts.close()

    def _opened(self) -> tuple[grpc.Channel, SyncTokens]:
        with self._lock:
            self._require_open()
            if self._tie is None:
                settings = self._settings
                channel = settings.identity.sync()
                watched = grpc.intercept_channel(channel, *traced_tie(settings.tracing()))
                exchanger = SyncExchanger(watched, settings.profile)
                fates = Fates()
                exchange = SyncFated(sync_exchange_of(exchanger, settings.observer), fates)
                tokens = SyncTokens(exchange, settings.clock)
                self._sessions = self._narrowed(watched, tokens, exchange, fates)
                joins = (self._sessions.join, tokens.join)
                # the last one first
                for end in (*joins, channel.close, tokens.close, self._sessions.close):
                    self._stack.callback(end)
                self._tie = channel, tokens
            return self._tie

    def _narrowed(
        self, channel: grpc.Channel, tokens: SyncTokens, exchange: SyncExchange, fates: Fates
    ) -> SyncSessions:
        settings = self._settings
        zone, application = settings.profile.zone, settings.profile.application_id
        self._control = control = SyncControl(channel, tokens, settings.identity.binding())
        if settings.approvals is not None:
            tokens.release_by(SyncRelease(exchange, control, zone, settings.approvals))
        return SyncSessions(control, zone, application, fates)

    def _place(self, session: Place = None) -> InSession:
        """Where to act: in `session`, in that of the caller's context, or in the standing one."""
        here = place_of(session) or current_place(self._settings.profile.application_id) or STANDING
        try:
            return here.require()
        except CaracalError as error:
            raise FailedCall(to_status(error)) from error

    def _kept(self, make: Callable[[], grpc.Channel]) -> grpc.Channel:
        with self._lock:
            self._require_open()
            channel = make()
            self._stack.callback(channel.close)
            return channel

    def _require_open(self) -> None:
        if self._closed:
            raise FailedCall(edge_closed().status)
