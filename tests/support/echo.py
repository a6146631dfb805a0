"""A service in every style that gRPC knows; the text of a request says how its handler behaves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from caracal_grpc.core.rule import Rule
from caracal_grpc.interceptors.context.current import current_mandate
from caracal_grpc.interceptors.rules.rules import Rules
from tests.support.keys import RESOURCE, SCOPES

SERVICE = "caracal.test.Echo"
BIG = "x" * 200_000

ARITIES = {
    "Unary": (False, False),
    "Collect": (True, False),
    "Expand": (False, True),
    "Chat": (True, True),
    "ExpandWriting": (False, True),
    "ChatWriting": (True, True),
    "ChatTasking": (True, True),
    "ChatGrouping": (True, True),
    "PlainUnary": (False, False),
    "PlainCollect": (True, False),
    "PlainExpand": (False, True),
    "PlainChat": (True, True),
}
SYNC_METHODS = ("Unary", "Collect", "Expand", "Chat")
AIO_METHODS = tuple(ARITIES)
STREAMS = tuple(name for name, arity in ARITIES.items() if any(arity))


def path(name: str) -> str:
    """The full path of a method."""
    return f"/{SERVICE}/{name}"


def echo_rules() -> Rules:
    """Every method asks for one scope, except the open one, and the undeclared one has none."""
    rules = [Rule(path(name), RESOURCE, SCOPES) for name in ARITIES]
    return Rules([*rules, Rule(path("Open"), public=True, public_reason="for tests")])


@dataclass
class Journal:
    """What happened inside the handlers."""

    ran: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    """The requests that a handler has seen."""
    ended: list[str] = field(default_factory=list)
    parsed: int = 0
    freed: threading.Event = field(default_factory=threading.Event)

    def note(self, name: str) -> str:
        """Records that the handler `name` ran, and answers with the `jti` it ran under."""
        self.ran.append(name)
        self.seen.append(current_mandate().jti)
        return self.seen[-1]

    def hear(self, request: StringValue) -> str:
        """Records that a handler has seen `request`, and answers with what it says."""
        self.heard.append(request.value)
        return request.value

    def parse(self, raw: bytes) -> StringValue:
        """A deserializer that counts."""
        self.parsed += 1
        return StringValue.FromString(raw)


def text(value: str) -> StringValue:
    """A message."""
    return StringValue(value=value)


@dataclass
class SyncEcho:
    """The handlers of a sync server, or plain functions on an asyncio one."""

    journal: Journal = field(default_factory=Journal)
    prefix: str = ""

    def unary(self, request: StringValue, _: Any) -> StringValue:
        """Echoes."""
        jti = self.journal.note(f"{self.prefix}Unary")
        self.journal.hear(request)
        return text(f"{request.value}|{jti}|{current_mandate().jti}")

    def open(self, request: StringValue, _: Any) -> StringValue:
        """Echoes for anyone."""
        return request

    def collect(self, requests: Iterator[StringValue], _: Any) -> StringValue:
        """Joins the requests."""
        jti = self.journal.note(f"{self.prefix}Collect")
        try:
            parts = [self.journal.hear(request) for request in requests]
        finally:
            self.journal.ended.append(f"{self.prefix}Collect")
        return text(",".join(parts) + f"|{jti}")

    def expand(self, request: StringValue, _: Any) -> Iterator[StringValue]:
        """Yields as the request says."""
        jti = self.journal.note(f"{self.prefix}Expand")
        try:
            self.journal.hear(request)
            for value in self._script(request.value):
                yield text(f"{value}|{jti}")
        finally:
            self.journal.ended.append(f"{self.prefix}Expand")

    def chat(self, requests: Iterator[StringValue], _: Any) -> Iterator[StringValue]:
        """Answers each request as it says."""
        jti = self.journal.note(f"{self.prefix}Chat")
        try:
            for request in requests:
                for value in self._script(self.journal.hear(request)):
                    yield text(f"{value}|{jti}")
        finally:
            self.journal.ended.append(f"{self.prefix}Chat")

    def _script(self, value: str) -> Iterator[str]:
        yield value
        if value == "idle":
            self.journal.freed.wait()
        while value == "flood":
            yield BIG


_FACTORIES: dict[tuple[bool, bool], Callable[..., Any]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


def handlers_of(functions: dict[str, Any], journal: Journal) -> grpc.GenericRpcHandler:
    """The service made of `functions`, by the names of their methods."""
    handlers = {
        name: _FACTORIES[ARITIES.get(name, (False, False))](
            function,
            request_deserializer=journal.parse,
            response_serializer=StringValue.SerializeToString,
        )
        for name, function in functions.items()
    }
    return grpc.method_handlers_generic_handler(SERVICE, handlers)


def sync_handlers(journal: Journal) -> grpc.GenericRpcHandler:
    """The service in the style of a sync server."""
    echo = SyncEcho(journal)
    functions = {
        "Unary": echo.unary,
        "Collect": echo.collect,
        "Expand": echo.expand,
        "Chat": echo.chat,
        "Open": echo.open,
        "Undeclared": echo.unary,
    }
    return handlers_of(functions, journal)
