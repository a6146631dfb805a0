"""What happened inside a handler: the evidence of every cell."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.wrappers_pb2 import StringValue

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.interceptors import current_mandate

INSISTENCE = 3
"""How often a handler that insists tries again what was refused to it."""


@dataclass
class Journal:
    """Written by a handler in any thread, read by the test; its gate holds handlers that wait."""

    ran: int = 0
    ended: int = 0
    """How often the handler's context manager was left."""
    parsed: int = 0
    seen: list[str] = field(default_factory=list)
    """The requests that the handler was given."""
    complete: bool = False
    """Whether the stream of requests came to an end as if its client had ended it."""
    begun: int = 0
    """Answers that it began to give."""
    given: int = 0
    """Answers after which it went on."""
    waiting: int = 0
    """How often it came to the gate."""
    resumed: int = 0
    """How often it went on after the gate."""
    insisted: int = 0
    sights: set[str | None] = field(default_factory=set)
    """The `jti` of every mandate that it found to be its own; `None` when there was none."""
    on_send: Callable[[], object] = lambda: None
    """Runs when an answer is about to be sent."""
    opened: threading.Event = field(default_factory=threading.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def evidence(self) -> tuple[int, list[str], int]:
        """How often the handler ran, what it saw, and how much was parsed."""
        return self.ran, list(self.seen), self.parsed

    @contextmanager
    def visit(self) -> Iterator[None]:
        """Around all that a handler does."""
        self.ran += 1
        self.look()
        try:
            yield
        finally:
            self.look()
            self.ended += 1

    def look(self) -> None:
        """Notes whose call this is."""
        try:
            self.sights.add(current_mandate().jti)
        except CaracalError:
            self.sights.add(None)

    def see(self, request: StringValue) -> str:
        """Notes a request; its word."""
        self.look()
        self.seen.append(request.value)
        return request.value

    def giving(self, answer: str) -> StringValue:
        """Notes that an answer is about to be given; its message."""
        self.begun += 1
        return StringValue(value=answer)

    def gave(self) -> None:
        """Notes that the handler went on after an answer."""
        self.look()
        self.given += 1

    def parse(self, raw: bytes) -> StringValue:
        """A deserializer that counts."""
        self.parsed += 1
        return StringValue.FromString(raw)

    def render(self, answer: StringValue) -> bytes:
        """A serializer that tells."""
        self.on_send()
        return answer.SerializeToString()

    def insists(self) -> bool:
        """Whether the handler overhears that it was ended, and tries once more."""
        self.insisted += "insist" in self.seen
        return 0 < self.insisted <= INSISTENCE

    def open_gate(self) -> None:
        """Lets handlers go on that wait; to be called on the loop of the test."""
        self.opened.set()
        self.gate.set()

    async def wait(self) -> None:
        """Waits at the gate, without a thread."""
        self.waiting += 1
        await self.gate.wait()
        self.resumed += 1

    def block(self) -> None:
        """Waits at the gate, and holds a thread."""
        self.waiting += 1
        self.opened.wait()
        self.resumed += 1


Context = Any
"""A servicer context of either stack."""
