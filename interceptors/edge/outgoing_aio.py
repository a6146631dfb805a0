"""The outgoing half of an edge, for asyncio: mandates, and the channels that they go along."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AsyncExitStack

import grpc

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.interceptors.client.aio import interceptors as client_aio
from caracal_grpc.interceptors.client.aio.mandates import AioMandates
from caracal_grpc.interceptors.client.aio.tokens import AioExchange, AioExchanger, AioTokens
from caracal_grpc.interceptors.client.aio.traced import traced, traced_tie
from caracal_grpc.interceptors.client.attachment import Attachment, OnBehalf
from caracal_grpc.interceptors.client.channel import Options
from caracal_grpc.interceptors.client.exchange import OnReceipt, edge_closed, with_receipt
from caracal_grpc.interceptors.client.observed import aio_exchange_of
from caracal_grpc.interceptors.client.tokens import Ask, ExchangeError
from caracal_grpc.interceptors.context.session import (
    STANDING,
    InSession,
    Place,
    current_place,
    place_of,
)
from caracal_grpc.interceptors.edge.settings import Settings
from caracal_grpc.interceptors.edge.upstreams import AioUpstreams
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.sessions.control_aio import AioControl
from caracal_grpc.interceptors.sessions.fates import AioFated, Fates
from caracal_grpc.interceptors.sessions.release_aio import AioRelease
from caracal_grpc.interceptors.sessions.sessions_aio import AioSessions
from caracal_grpc.interceptors.status import to_status


class AioOutgoing:
    """One channel to the authority, the mandates that came over it, and channels to services."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.profile = settings.profile
        self._tie: tuple[grpc.aio.Channel, AioTokens] | None = None
        self._sessions: AioSessions
        self._closed = False
        self._stack = AsyncExitStack()
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
    ) -> list[grpc.aio.ClientInterceptor]:
        """The interceptors of one outgoing `grpc.aio` channel, which must be TLS or loopback.

        Calls act on behalf of the caller whose call is being handled: "exchange" for a mandate of
        their own, or "forward" the caller's. Without a caller they are refused (`MANDATE_MISSING`),
        for a context that was lost on the way into a thread must not give a call more authority
        than its caller has. What the application does by itself goes over a channel of "self".
        "either" is both: on behalf of the caller, as itself without one. The default is "exchange"
        where this application guards calls in this process, and "either" where it does not.

        Calls act in `session`, an id or what `session` of the edge gave; without one, in the
        session that their caller acts in (`acting_in`), or else in the application's standing one.

        `bound` mandates, by default those of an edge that is, are good only over mutual TLS with
        the client certificate of the profile; `channel` makes such a channel.

        With `reopen`, a stream of responses to one request that is cut with `MANDATE_EXPIRED` is
        opened again with a fresh mandate and the same request, and its reader reads on: for streams
        that begin anew without harm, such as watches. Streams of requests are never sent again.
        """
        settings = self._settings
        rules = rules or settings.rules
        interceptors = client_aio.client_interceptors(
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
    ) -> grpc.aio.Channel:
        """A channel to a guarded service, by whose calls mandates go along; the edge closes it.

        It is mutual TLS with the client certificate of the profile, the one that mandates are bound
        to, TLS when there is none, and plaintext to loopback when the profile is. `roots` is the
        PEM that the service is checked against, by default that of the profile; the rest is as with
        `client_interceptors`.
        """
        interceptors = self.client_interceptors(
            on_behalf=on_behalf, session=session, rules=rules, bound=bound, reopen=reopen
        )
        identity = self._settings.identity
        return self._kept(identity.aio_service(target, interceptors, roots, options))

    def authority_channel(
        self, *, on_behalf: OnBehalf = "self", session: Place = None
    ) -> grpc.aio.Channel:
        """A channel to the authority's own services, such as sessions and revocations, which
        carries the mandate that each asks for; the edge closes it.
        """
        interceptors = self.client_interceptors(on_behalf=on_behalf, session=session)
        return self._kept(self._settings.identity.aio(interceptors))

    def mandates(
        self, *, on_behalf: OnBehalf | None = None, session: Place = None, bound: bool | None = None
    ) -> AioMandates:
        """What goes along with calls that another process makes, and a proxy lets through.

        The arguments mean what they mean to `client_interceptors`, and so do its refusals. `bound`
        mandates need the proxy to show the certificate of the profile to the service.
        """
        settings = self._settings
        attachment = Attachment(
            settings.rules,
            settings.on_behalf(on_behalf),
            place_of(session),
            settings.identity.binding(bound),
            application=settings.profile.application_id,
        )
        return AioMandates(self._opened()[1], attachment)

    def upstreams(self) -> AioUpstreams:
        """The credentials of upstreams behind this gateway, as the authority releases them."""
        self._opened()
        return AioUpstreams(self._control, self.profile.zone)

    async def exchange(
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

        Raises `grpc.aio.AioRpcError` with the status of the exchange; `from_rpc_error` reads it.
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
                return await tokens.get(ask, timeout)
            granted = await tokens.fresh(with_receipt(ask), timeout)
        except ExchangeError as error:
            raise client_aio.aio_error(error.status) from error
        if granted.receipt is not None:
            on_receipt(granted.receipt)
        return granted.token

    async def close(self) -> None:
        """Ends all that the edge began, the latest first; call it after the server stopped.

        Each part is closed, whatever becomes of the others; then it raises what one raised. Again
        is no error.
        """
        self._closed = True
        await self._stack.aclose()

    def _opened(self) -> tuple[grpc.aio.Channel, AioTokens]:
        if self._closed:
            raise client_aio.aio_error(edge_closed().status)
        if self._tie is None:
            settings = self._settings
            channel = self._kept(settings.identity.aio(traced_tie(settings.tracing())))
            exchanger = AioExchanger(channel, settings.profile)
            fates = Fates()
            exchange = AioFated(aio_exchange_of(exchanger, settings.observer), fates)
            tokens = AioTokens(exchange, settings.clock)
            self._stack.push_async_callback(tokens.close)
            self._tie = channel, tokens
            self._narrow(channel, tokens, exchange, fates)
        return self._tie

    def _narrow(
        self, channel: grpc.aio.Channel, tokens: AioTokens, exchange: AioExchange, fates: Fates
    ) -> None:
        settings = self._settings
        zone, application = settings.profile.zone, settings.profile.application_id
        self._control = control = AioControl(channel, tokens, settings.identity.binding())
        self._sessions = AioSessions(control, zone, application, fates)
        self._stack.push_async_callback(self._sessions.close)
        if settings.approvals is not None:
            tokens.release_by(AioRelease(exchange, control, zone, settings.approvals))

    def _place(self, session: Place = None) -> InSession:
        """Where to act: in `session`, in that of the caller's context, or in the standing one."""
        here = place_of(session) or current_place(self._settings.profile.application_id) or STANDING
        try:
            return here.require()
        except CaracalError as error:
            raise client_aio.aio_error(to_status(error)) from error

    def _kept(self, channel: grpc.aio.Channel) -> grpc.aio.Channel:
        self._stack.push_async_callback(channel.close)
        return channel
