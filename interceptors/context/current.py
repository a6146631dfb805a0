"""The call that the running code serves, and its mandate: set by a guard around each handler."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.context.inbound import Inbound

Served = tuple[Mandate | None, str, Inbound | None]
"""A verified mandate, the token that carries it, and what else came with the call."""

Mark = Token[Served | None]
_CURRENT: Final[ContextVar[Served | None]] = ContextVar("caracal_call", default=None)


def current_mandate() -> Mandate:
    """The mandate of the call that is being handled.

    It is there in the handler, in what the handler awaits and in the tasks that it starts. Raises
    `MANDATE_MISSING` outside a guarded handler, and in a public method.
    """
    served = _CURRENT.get()
    if served is None or served[0] is None:
        raise _no_mandate()
    return served[0]


def current_token() -> str:
    """The token of the call that is being handled, to exchange or forward it; never log it.

    Raises `MANDATE_MISSING` outside a guarded handler, and in a public method.
    """
    served = _CURRENT.get()
    if served is None or served[0] is None:
        raise _no_mandate()
    return served[1]


def current_request_id() -> str | None:
    """The request id of the call that is being handled; `None` outside a handler.

    It is the caller's `x-request-id`, when that is one word of at most 128 visible ASCII
    characters, and otherwise made here. It is there wherever `current_mandate` is, and in public
    methods.
    """
    served = _CURRENT.get()
    return None if served is None or served[2] is None else served[2].request_id


def carried_metadata() -> tuple[tuple[str, str], ...]:
    """What calls made from this handler carry on: `x-request-id`, and of W3C's `traceparent`,
    `tracestate` and `baggage` what came well-formed. Nothing outside a handler.

    The client interceptors add it by themselves; this is for what does not go through them.
    """
    served = _CURRENT.get()
    return () if served is None or served[2] is None else served[2].carried


def _no_mandate() -> CaracalError:
    return CaracalError(
        Reason.MANDATE_MISSING, "no mandate here; ask inside the handler of a guarded method"
    )


def enter(mandate: Mandate | None, token: str, inbound: Inbound | None = None) -> Mark:
    """Makes this call the current one of this context; hand the answer to `leave`.

    Without a mandate it is one of a public method.
    """
    return _CURRENT.set((mandate, token, inbound))


@contextmanager
def answering(inbound: Inbound) -> Iterator[None]:
    """Within it a call that is refused has its request id, and no mandate."""
    mark = enter(None, "", inbound)
    try:
        yield
    finally:
        leave(mark)


def leave(mark: Mark) -> None:
    """Undoes `enter`.

    An async generator that nobody finishes is closed by the event loop in another context, which
    never held the mandate: there is nothing to undo.
    """
    try:  # noqa: SIM105 - a third of the cost of `suppress`, on every call
        _CURRENT.reset(mark)
    except ValueError:
        pass
