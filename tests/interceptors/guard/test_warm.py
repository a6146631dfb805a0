"""What a guard does for a call whose mandate it remembers, function by function: told by a trace.

The trace is of the very thread and the very time in which the guard and the handler run, on real
servers. So that it cannot be blind, the first call under a mandate must show the work.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from caracal_grpc.interceptors import Rules
from caracal_grpc.interceptors.testing import guarded_server, guarded_server_sync

METHOD = "/warm.v1.Echo/Say"
RULES = Rules.from_mapping({METHOD: {"resource": "resource://echo", "scopes": ["echo:say"]}})
CLAIMS: dict[str, Any] = {"resource": "resource://echo", "scopes": "echo:say"}

READING = {
    "json": ("json.", "_json."),
    "signatures and keys": ("cryptography.", "jose.", "asn1.", "caracal_grpc.crypto.key_set."),
    "claims": ("caracal_grpc.core.mandate.from_claims", "caracal_grpc.crypto.mandates."),
}
"""By what it is, the work that a warm call must not do: the beginnings of what is called."""

BLOCKING = (
    "_io.",
    "_socket.",
    "_sqlite3.",
    "_ssl.",
    "io.",
    "nt.",
    "posix.",
    "queue.",
    "select.",
    "socket.",
    "ssl.",
    "subprocess.",
    "time.sleep",
    "urllib.",
)
"""The beginnings of what reads and writes files and sockets, or waits."""


class Trace:
    """The names of all functions, of Python and of C, that were called while it was on."""

    def __init__(self) -> None:
        self.called: set[str] = set()

    @contextmanager
    def on(self) -> Iterator[None]:
        """Traces this thread."""
        before = sys.getprofile()
        sys.setprofile(self._note)
        try:
            yield
        finally:
            sys.setprofile(before)

    def _note(self, frame: Any, event: str, function: Any) -> None:
        if event == "call":
            self.called.add(f"{frame.f_globals.get('__name__')}.{frame.f_code.co_name}")
        elif event == "c_call":
            owner = getattr(function, "__self__", None)
            module = function.__module__ or type(owner).__module__
            self.called.add(f"{module}.{getattr(function, '__qualname__', function.__name__)}")

    def taken(self) -> set[str]:
        """What was called since this was asked before."""
        called, self.called = self.called, set()
        return called


def those(called: set[str], beginnings: tuple[str, ...]) -> set[str]:
    """What was called that begins like that."""
    return {name for name in called if name.startswith(beginnings)}


def say(request: bytes, context: Any) -> bytes:
    """A handler that does nothing."""
    return request


async def say_aio(request: bytes, context: Any) -> bytes:
    """A handler that does nothing."""
    return request


def adding(behaviour: Any) -> Callable[[Any], None]:
    """What adds the echo to a server."""
    handler = grpc.unary_unary_rpc_method_handler(behaviour)
    handlers = grpc.method_handlers_generic_handler("warm.v1.Echo", {"Say": handler})
    return lambda server: server.add_generic_rpc_handlers((handlers,))


class TracedAio(grpc.aio.ServerInterceptor):
    """Traces what comes after it: the guard, and the handler that it guards."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        """Traces both."""
        with self._trace.on():
            handler = await continuation(details)

        async def traced(request: bytes, context: Any) -> Any:
            with self._trace.on():
                return await handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(traced)


class TracedSync(grpc.ServerInterceptor):
    """Traces what comes after it: the guard, and the handler that it guards."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        """Traces both."""
        with self._trace.on():
            handler = continuation(details)

        def traced(request: bytes, context: Any) -> Any:
            with self._trace.on():
                return handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(traced)


@pytest.fixture
async def aio() -> tuple[set[str], set[str]]:
    """What an asyncio server does for a first call, and for the next under the same mandate."""
    trace = Trace()
    options: dict[str, Any] = {"rules": RULES, "interceptors": [TracedAio(trace)]}
    async with guarded_server(adding(say_aio), **options) as server:
        call = server.channel(server.authority.mandate(**CLAIMS)).unary_unary(METHOD)
        assert await call(b"x") == b"x"
        cold = trace.taken()
        assert await call(b"x") == b"x"
        return cold, trace.taken()


@pytest.fixture
def sync() -> tuple[set[str], set[str]]:
    """The same of a synchronous server."""
    trace = Trace()
    options: dict[str, Any] = {"rules": RULES, "interceptors": [TracedSync(trace)]}
    with guarded_server_sync(adding(say), **options) as server:
        call = server.channel(server.authority.mandate(**CLAIMS)).unary_unary(METHOD)
        assert call(b"x") == b"x"
        cold = trace.taken()
        assert call(b"x") == b"x"
        return cold, trace.taken()


@pytest.mark.parametrize("server", ["aio", "sync"])
@pytest.mark.parametrize("work", READING)
def test_a_remembered_mandate_is_not_read_again(
    request: pytest.FixtureRequest, server: str, work: str
) -> None:
    """No JSON is parsed, no signature checked and no key made; the first call did it all."""
    cold, warm = request.getfixturevalue(server)
    assert those(cold, READING[work])
    assert those(warm, READING[work]) == set()


@pytest.mark.parametrize("server", ["aio", "sync"])
def test_no_call_blocks(request: pytest.FixtureRequest, server: str) -> None:
    """Neither a first one nor a warm one touches a file or a socket, or sleeps."""
    for called in request.getfixturevalue(server):
        assert "caracal_grpc.interceptors.guard.verifier.judge" in called
        assert those(called, BLOCKING) == set()


def test_the_trace_sees_what_blocks() -> None:
    """A file that is read, a socket that is made and a sleep are noted as such."""
    trace = Trace()
    with trace.on():
        Path(__file__).read_bytes()
        socket.socket().close()
        time.sleep(0)
    rooms = {name.partition(".")[0] for name in those(trace.taken(), BLOCKING)}
    assert rooms >= {"_io", "socket", "time"}
