"""The way to the authority: the mandates of each call come from our own client interceptors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from types import MappingProxyType
from typing import Any, Final, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from caracal_grpc.cli.context import Target
from caracal_grpc.cli.errors import CliError, ExitCode, of_refusal, of_status
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import MAX_REQUEST
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.system import SystemClock
from caracal_grpc.interceptors.client.aio.interceptors import client_interceptors
from caracal_grpc.interceptors.client.aio.tokens import AioExchanger, AioTokens
from caracal_grpc.interceptors.client.channel import aio_channel
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.status import from_rpc_error

CALL_TIMEOUT: Final = 60.0
"""Seconds for one call, the exchange for its mandate included."""

_MAX_MESSAGE: Final = 64 << 20
"""Bytes, either way: a page of the ledger, or the declared state of a large zone."""

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", _MAX_MESSAGE),
    ("grpc.max_send_message_length", _MAX_MESSAGE),
)

_MAX_SAID: Final = 300

Overrides = Mapping[str, Mapping[str, Any]]
NO_OVERRIDES: Final[Overrides] = MappingProxyType({})

_Result = TypeVar("_Result")


@asynccontextmanager
async def connected(
    target: Target, overrides: Overrides = NO_OVERRIDES
) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to the authority on which each call carries the mandate that its method asks for.

    `overrides` are rules to use instead of those that the methods declare.
    """
    async with AsyncExitStack() as stack:
        plain = await stack.enter_async_context(aio_channel(target.profile))
        tokens = AioTokens(AioExchanger(plain, target.profile), SystemClock())
        stack.push_async_callback(tokens.close)
        rules = Rules.default(overrides=overrides)
        interceptors = client_interceptors(tokens, rules, on_behalf="self")
        channel = aio_channel(target.profile, interceptors, _OPTIONS)
        yield await stack.enter_async_context(channel)


def ask(
    target: Target,
    stub_type: Callable[[grpc.aio.Channel], Any],
    method: str,
    request: Message,
    overrides: Overrides = NO_OVERRIDES,
    timeout: float = CALL_TIMEOUT,
) -> Any:
    """The answer to one call of `method`; a failed call raises `CliError`."""

    async def work() -> Any:
        async with connected(target, overrides) as channel:
            return await getattr(stub_type(channel), method)(request, timeout=timeout)

    return run(target, work())


def run(target: Target, work: Coroutine[Any, Any, _Result]) -> _Result:
    """The result of `work` on a loop of its own; a failed call raises `CliError`."""
    try:
        return asyncio.run(work)
    except grpc.RpcError as error:
        raise failure(target, error) from error


def _named(target: Target, refusal: CaracalError) -> CaracalError:
    """`refusal`, telling what is not there and where when it says no more than what kind."""
    kind, name = (refusal.metadata.get(key, "") for key in ("kind", "id"))
    if refusal.reason is not Reason.OBJECT_NOT_FOUND or not (kind and name):
        return refusal
    text = f"there is no {kind} {name} in zone {target.zone}"
    if kind == "zone":
        text = f"there is no zone {name}; apply makes one"
    elif name == target.profile.application_id:
        own = f"you are {target.profile.application_name or name} of zone {target.profile.zone}"
        text = f"{own}, no application of zone {target.zone}; use a profile of one"
    return CaracalError(refusal.reason, text, metadata=refusal.metadata)


def failure(target: Target, error: grpc.RpcError) -> CliError:
    """The end that a failed call means for a command."""
    refusal = from_rpc_error(error)
    where = target.profile.authority
    if refusal is not None:
        ended = of_refusal(_named(target, refusal))
        if refusal.reason is Reason.AUTHORITY_STALE:
            return CliError(ended.code, f"{ended}; asked was {where}, as {target.path} says")
        return ended
    raised: Any = error
    code = of_status(raised.code().name)
    if code is ExitCode.UNAVAILABLE:
        text = f"no answer from the authority at {where}; check that it runs and that the profile"
        return CliError(code, f"{text} {target.path} is for it")
    said = str(raised.details() or "no more is known")[:_MAX_SAID]
    if raised.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:  # by gRPC itself, before the authority
        said = f"{said}; a request holds at most {MAX_REQUEST} bytes, so make it smaller"
    return CliError(code, f"the authority at {where} answered {raised.code().name}: {said}")
