"""The narrowing half of an edge, for threads: sessions below its own, and what it passes on."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager

from caracal_grpc.interceptors.edge.outgoing_sync import SyncOutgoing
from caracal_grpc.interceptors.sessions.facts import OpenSession
from caracal_grpc.interceptors.sessions.methods import START, TAKE_OVER
from caracal_grpc.interceptors.sessions.requests import (
    Ceiling,
    delegate_request,
    service_request,
    start_request,
    take_over_request,
)
from caracal_grpc.interceptors.sessions.service_sync import SyncServiceSession
from caracal_grpc.interceptors.sessions.sessions_sync import SyncDelegation, SyncSessions


class SyncNarrowing(SyncOutgoing):
    """Sessions and delegations, each within what is above it."""

    def session(
        self,
        *,
        labels: Iterable[str] = (),
        ceiling: Ceiling | None = None,
        ttl: int | None = None,
        id_token: str | None = None,
    ) -> AbstractContextManager[OpenSession]:
        """A session for a piece of work, below the one that is acted in here, or the standing one.

        Within it every exchange of this edge acts in it, on every channel that was not made for
        another session; at its end it is ended, with all that was issued in it or below it.

            with edge.session(ceiling={"resource://orders": "orders:read"}, ttl=600):
                orders.Get(request)

        `ceiling` is all that it can ever reach, by default what is above it reaches, and `labels`
        are some of those of the session above. It lives for `ttl` seconds, by default an hour. With
        the `id_token` of a user it speaks for that user, and this application acts for them: go
        over a channel of `on_behalf="self"`. Raises `grpc.RpcError`. When the authority does
        not answer at its end, that is logged, and the session ends with its time.
        """
        request = start_request(
            self.profile.zone,
            self._place().id,
            labels=labels,
            ceiling=ceiling,
            ttl=ttl,
            id_token=id_token,
        )
        return self._own().task(request)

    def service_session(
        self,
        *,
        lease: int | None = None,
        take_over: str | None = None,
        labels: Iterable[str] = (),
        ceiling: Ceiling | None = None,
        ttl: int | None = None,
        keep: bool = False,
    ) -> AbstractContextManager[SyncServiceSession]:
        """A session for a service, which lives as long as this process renews its lease.

        It does so by itself, at every third of the `lease`, which is 120 seconds by default. With
        `take_over`, the id of a session that another process of the application began, it goes on
        in that one, and the other process is kept out. Who is kept out, or whose session was ended,
        finds `lost` set, and its calls fail at once. At its end the session is ended, unless
        another has taken it over; with `keep` it is left to its lease, for another to take over.
        All else is as with `session`.
        """
        zone, sessions = self.profile.zone, self._own()
        if take_over is not None:
            more = {"lease": lease, "labels": tuple(labels), "ceiling": ceiling, "ttl": ttl}
            return sessions.service(
                TAKE_OVER, take_over_request(zone, take_over, **more), keep=keep
            )
        request = service_request(
            zone, self._place().id, lease, labels=labels, ceiling=ceiling, ttl=ttl
        )
        return sessions.service(START, request, keep=keep)

    def delegate(
        self, receiver: str, *, ceiling: Ceiling, ttl: int, max_hops: int | None = None
    ) -> SyncDelegation:
        """Passes `ceiling` on to the application `receiver`, by name or id, for `ttl` seconds.

        It comes out of the session that is acted in here, or the standing one, and ends with it.
        The receiver acts in the session that this makes, `session_id`: tell it that, and it goes
        `with acting_in(session_id)`. `max_hops` is how many more times the receiver's side may pass
        authority on; by default as often as what is above allows. Raises `grpc.RpcError`.
        """
        sessions = self._own()
        return sessions.delegate(
            delegate_request(self.profile.zone, self._place().id, receiver, ceiling, ttl, max_hops)
        )

    def _own(self) -> SyncSessions:
        self._opened()
        return self._sessions
