"""What the comments of the contract promise, and what the authorities of a run have answered."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import MethodDescriptor

from caracal_grpc.interceptors.status import read_refusal
from caracal_grpc.services.errors import StatusInterceptor
from caracal_grpc.services.register import SERVICES
from caracal_grpc.v1 import authority_pb2

PROTO = Path(__file__).parent.parent.parent / "proto" / "caracal" / "v1"
METHODS: dict[str, MethodDescriptor] = {
    f"/{service.full_name}/{method.name}": method
    for service in SERVICES
    for method in service.methods
}
"""Every method of the authority by its path."""

Answers = set[tuple[str, str]]
"""Methods, each with a reason that it was refused for."""

_WORD = re.compile(r"\b[A-Z][A-Z]+(?:_[A-Z]+)+\b|\bCONFLICT\b|\bDRAINING\b")
_NAMED = re.compile(r"(?:rpc|service|message) (\w+)|(ERROR_REASON_\w+) =")


@cache
def comments(name: str) -> dict[str, str]:
    """The comment above each service, rpc, message and reason of a proto file."""
    found, block = {}, ""
    for line in (PROTO / name).read_text().splitlines():
        text = line.strip()
        if text.startswith("//"):
            block += " " + text.removeprefix("//").strip()
            continue
        if match := _NAMED.match(text):
            found[match[1] or match[2]] = block.strip()
        block = ""
    return found


def reasons_in(text: str) -> set[str]:
    """The reasons that a comment names."""
    return set(_WORD.findall(text))


def guard_reasons() -> set[str]:
    """What the guard answers before a method begins, and while a stream is open."""
    return reasons_in(comments("authority.proto")["AuthorityRule"])


def rule_of(method: MethodDescriptor) -> authority_pb2.AuthorityRule:
    """What the method asks for."""
    options = descriptor_pb2.MethodOptions.FromString(method.GetOptions().SerializeToString())
    return options.Extensions[authority_pb2.authority]


def promised(path: str) -> set[str]:
    """The reasons that a caller of the method is told to expect."""
    method = METHODS[path]
    service = method.containing_service
    said = comments(Path(service.file.name).name)
    own = reasons_in(said[method.name]) | reasons_in(said[service.name])
    return own if rule_of(method).public else own | guard_reasons()


@pytest.fixture(scope="session")
def answers() -> Iterator[Answers]:
    """Every refusal by an authority in this process; in the end each must have been promised."""
    seen: Answers = set()
    original = StatusInterceptor.intercept_service

    async def intercept(
        self: StatusInterceptor, continuation: Any, details: grpc.HandlerCallDetails
    ) -> Any:
        handler = await original(self, continuation, details)
        return handler if details.method not in METHODS else _watched(handler, details.method, seen)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StatusInterceptor, "intercept_service", intercept)
        yield seen
    assert sorted(each for each in seen if each[1] not in promised(each[0])) == []


def _watched(handler: Any, method: str, seen: Answers) -> Any:
    def note(context: Any) -> None:
        refusal = read_refusal(context.trailing_metadata())
        if refusal is not None:
            seen.add((method, refusal.reason.value))

    if handler.response_streaming:
        return handler._replace(unary_stream=_stream(handler.unary_stream, note))
    return handler._replace(unary_unary=_unary(handler.unary_unary, note))


def _unary(behavior: Callable[..., Awaitable[Any]], note: Callable[[Any], None]) -> Any:
    async def run(payload: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        try:
            return await behavior(payload, context)
        finally:
            note(context)

    return run


def _stream(behavior: Callable[..., AsyncIterator[Any]], note: Callable[[Any], None]) -> Any:
    async def run(payload: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        try:
            async for message in behavior(payload, context):
                yield message
        finally:
            note(context)

    return run
