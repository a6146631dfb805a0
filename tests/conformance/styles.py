"""The first axis: every way to write a handler, and the cardinalities that each can have."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import grpc

from tests.conformance import styles_aio, styles_sync
from tests.conformance.journal import Journal

GUARDED = "/caracal.test.Cell/Call"
BARE = "/grpc.test.Cell/Call"
"""A public method of gRPC's own, as health and reflection are: a guard leaves it as it is."""

CARDINALITIES: dict[str, tuple[bool, bool]] = {
    "unary_unary": (False, False),
    "stream_unary": (True, False),
    "unary_stream": (False, True),
    "stream_stream": (True, True),
}
"""By whether a method takes a stream, and gives one."""


@dataclass(frozen=True)
class Style:
    """One way to write a handler."""

    aio: bool
    """Whether the server is an asyncio one."""
    awaits: bool
    """Whether a handler awaits, so that it can be cancelled; else it holds a thread."""
    handlers: dict[str, Callable[..., Any]]
    absent: dict[str, str] = field(default_factory=dict)
    """The cardinalities that there cannot be, with the reason."""
    reads_on: bool = False
    """Whether it reads the next request while it is busy with one."""


_ONE = "what answers once is no generator"
_MANY = "a coroutine that answers more than once writes its answers: see read/write"
_NONE = "there is nothing to read and nothing to write"
_BOTH = "it takes both directions to do both at a time"

STYLES: dict[str, Style] = {
    "sync_server": Style(
        aio=False,
        awaits=False,
        handlers={
            "unary_unary": styles_sync.unary,
            "stream_unary": styles_sync.collect,
            "unary_stream": styles_sync.expand,
            "stream_stream": styles_sync.chat,
        },
    ),
    "aio_coroutine": Style(
        aio=True,
        awaits=True,
        handlers={"unary_unary": styles_aio.unary, "stream_unary": styles_aio.collect},
        absent={"unary_stream": _MANY, "stream_stream": _MANY},
    ),
    "aio_generator": Style(
        aio=True,
        awaits=True,
        handlers={"unary_stream": styles_aio.expand, "stream_stream": styles_aio.chat},
        absent={"unary_unary": _ONE, "stream_unary": _ONE},
    ),
    "aio_read_write": Style(
        aio=True,
        awaits=True,
        handlers={
            "stream_unary": styles_aio.collect_reading,
            "unary_stream": styles_aio.expand_writing,
            "stream_stream": styles_aio.chat_writing,
        },
        absent={"unary_unary": _NONE},
    ),
    "aio_tasks": Style(
        aio=True,
        awaits=True,
        handlers={"stream_stream": styles_aio.chat_in_tasks},
        absent={"unary_unary": _BOTH, "stream_unary": _BOTH, "unary_stream": _BOTH},
        reads_on=True,
    ),
    "aio_task_group": Style(
        aio=True,
        awaits=True,
        handlers={"stream_stream": styles_aio.chat_in_group},
        absent={"unary_unary": _BOTH, "stream_unary": _BOTH, "unary_stream": _BOTH},
        reads_on=True,
    ),
    "sync_on_aio": Style(
        aio=True,
        awaits=False,
        handlers={
            "unary_unary": styles_sync.unary,
            "stream_unary": styles_sync.collect,
            "unary_stream": styles_sync.expand,
            "stream_stream": styles_sync.chat,
        },
    ),
}


@dataclass(frozen=True)
class Handler:
    """One handler: a style in a cardinality."""

    name: str
    style: Style
    cardinality: str

    def __str__(self) -> str:
        return f"{self.name}-{self.cardinality}"

    @property
    def takes(self) -> bool:
        """Whether it takes a stream."""
        return CARDINALITIES[self.cardinality][0]

    @property
    def gives(self) -> bool:
        """Whether it gives a stream."""
        return CARDINALITIES[self.cardinality][1]

    def services(self, journal: Journal) -> tuple[grpc.GenericRpcHandler, ...]:
        """Two services with this handler: one is guarded, and one is left alone."""
        make = getattr(grpc, f"{self.cardinality}_rpc_method_handler")
        handler = make(
            functools.partial(self.style.handlers[self.cardinality], journal),
            request_deserializer=journal.parse,
            response_serializer=journal.render,
        )
        services = (path.split("/")[1] for path in (GUARDED, BARE))
        return tuple(
            grpc.method_handlers_generic_handler(service, {"Call": handler}) for service in services
        )


HANDLERS = [
    Handler(name, style, cardinality)
    for name, style in STYLES.items()
    for cardinality in style.handlers
]
STREAMS = [handler for handler in HANDLERS if handler.takes or handler.gives]
UNARY = [handler for handler in HANDLERS if handler not in STREAMS]
TAKING = [handler for handler in HANDLERS if handler.takes]
GIVING = [handler for handler in HANDLERS if handler.gives]
LETTING_GO = [each for each in GIVING if each.style.awaits or not each.style.aio]
"""Those whose thread or task ends when the client hangs up while they answer.

With or without a guard, gRPC never lets go of the thread in which an asyncio server runs a plain
generator, once its client has hung up between two answers (grpc/grpc#28999).
"""
