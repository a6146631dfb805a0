"""Handlers of every make, and the interceptors of other people around the guard."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from opentelemetry.instrumentation.grpc import aio_server_interceptor, server_interceptor
from opentelemetry.sdk.trace import TracerProvider

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.context.current import current_mandate, current_token
from caracal_grpc.interceptors.guard.plan import Style, style_of
from tests.support.echo import SYNC_METHODS, path, text
from tests.support.echo_client import bearing, ending
from tests.support.echo_server import Setup, Stage, aio_stage, sync_stage


async def _coroutine(_: Any, __: Any) -> None:
    """A coroutine function."""


async def _generator(_: Any, __: Any) -> AsyncIterator[None]:
    """An async generator function."""
    yield None


def _plain(_: Any, __: Any) -> None:
    """A plain function."""


class _Service:
    async def unary(self, _: Any, __: Any) -> None:
        """A bound coroutine."""

    async def stream(self, _: Any, __: Any) -> AsyncIterator[None]:
        """A bound async generator."""
        yield None


class _Callable:
    async def __call__(self, _: Any, __: Any) -> None:
        """An object that is called like a coroutine function."""


STYLES: dict[Style, tuple[Callable[..., Any], ...]] = {
    Style.COROUTINE: (
        _coroutine,
        functools.partial(_coroutine, None),
        functools.partial(functools.partial(_coroutine), None),
        _Service().unary,
        functools.partial(_Service().unary),
        _Callable(),
    ),
    Style.ASYNC_GENERATOR: (_generator, _Service().stream, functools.partial(_generator, None)),
    Style.SYNC: (_plain, functools.partial(_plain, None), print, lambda _, __: None),
}


@pytest.mark.parametrize("style", STYLES)
def test_the_style_is_seen_through_partials_methods_and_objects(style: Style) -> None:
    """However the handler is wrapped up."""
    assert {style_of(function) for function in STYLES[style]} == {style}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("arity", [(False, False), (False, True), (True, False), (True, True)])
async def test_the_guarded_handler_keeps_arity_and_style(
    style: Style, arity: tuple[bool, bool]
) -> None:
    """For a good call and for a refusal: what stands outside the guard depends on it."""
    if style is Style.ASYNC_GENERATOR and not arity[1]:
        arity = (arity[0], True)
    names = {False: "unary", True: "stream"}
    kind = f"{names[arity[0]]}_{names[arity[1]]}"
    factory = getattr(grpc, f"{kind}_rpc_method_handler")
    async with aio_stage() as stage:
        handler = factory(STYLES[style][0])
        for metadata in (bearing(stage.mint.token()), ()):
            details = _Details(path("Unary"), metadata)
            guarded = await stage.guard.intercept_service(_answering(handler), details)
            assert (guarded.request_streaming, guarded.response_streaming) == arity
            assert style_of(getattr(guarded, kind)) is style


class _Details:
    def __init__(self, method: str, metadata: Any) -> None:
        self.method = method
        self.invocation_metadata = metadata


def _answering(handler: Any) -> Callable[[Any], Any]:
    async def continuation(_: Any) -> Any:
        return handler

    return continuation


@pytest.fixture(params=[aio_stage, sync_stage], ids=["aio", "sync"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """A guarded server, of each stack in turn."""
    async with request.param() as stage:
        yield stage


async def test_an_unregistered_method_stays_unimplemented(stage: Stage) -> None:
    """With or without a mandate."""
    for metadata in ((), bearing(stage.mint.token())):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stage.client.call("Nowhere", metadata)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_public_method_needs_no_mandate_and_no_fresh_view(stage: Stage) -> None:
    """And looks at none that is sent along."""
    stage.view.go_stale()
    assert await stage.client.call("Open") == ["hi"]
    assert await stage.client.call("Open", bearing("garbage")) == ["hi"]


class _BrokenRules:
    def find(self, method: str) -> None:
        """Fails, as for a descriptor with half a rule."""
        raise ValueError(f"{method} has half a rule")

    def knows(self, service: str) -> bool:
        """Fails, too."""
        raise ValueError(f"{service} has half a rule")


async def test_a_rule_that_cannot_be_read_opens_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The method counts as undeclared, and the log says why."""
    async with aio_stage(Setup(rules=_BrokenRules())) as stage:
        error = await stage.client.refusal("Unary", bearing(stage.mint.token()))
        assert error.reason is Reason.METHOD_NOT_DECLARED
        assert stage.journal.ran == []
    assert "has half a rule" in caplog.text


def test_there_is_no_mandate_outside_a_guarded_handler() -> None:
    """Asking for one is an error with a name."""
    for ask in (current_mandate, current_token):
        with pytest.raises(CaracalError) as caught:
            ask()
        assert caught.value.reason is Reason.MANDATE_MISSING


async def test_calls_at_the_same_time_see_each_its_own_mandate(stage: Stage) -> None:
    """Under one event loop, and under many threads."""
    mandates = [stage.mint.mandate() for _ in range(40)]

    async def call(index: int) -> str:
        method = ("Unary", "Expand", "Chat", "Collect")[index % 4]
        answers = await stage.client.call(method, bearing(stage.mint.token(mandates[index])))
        return answers[0].split("|")[1]

    seen = await asyncio.gather(*map(call, range(len(mandates))))
    assert seen == [mandate.jti for mandate in mandates]


async def test_a_mandate_that_dies_before_the_message_arrives_runs_nothing(stage: Stage) -> None:
    """A caller that opens a call and holds its message back gains nothing."""
    mandate = stage.mint.mandate()
    call = stage.client.channel.stream_unary(path("Unary"))(
        metadata=bearing(stage.mint.token(mandate)), timeout=20
    )
    await call.wait_for_connection()
    await asyncio.sleep(0.1)
    stage.view.revoke(mandate.session)
    await call.write(text("late").SerializeToString())
    await call.done_writing()
    assert (await ending(call)).reason is Reason.MANDATE_REVOKED
    assert stage.journal.ran == []


AIO_OUTSIDE = ("Unary", "Collect", "Expand", "Chat")


def _tracing(factory: Callable[..., Any]) -> Setup:
    return Setup(outer=(factory(TracerProvider()),))


async def test_opentelemetry_may_stand_outside_an_aio_guard() -> None:
    """It serves, refuses and cuts as without it."""
    async with aio_stage(_tracing(aio_server_interceptor)) as stage:
        await _serves_refuses_and_cuts(stage, AIO_OUTSIDE)


async def test_opentelemetry_may_stand_outside_a_sync_guard() -> None:
    """It serves, refuses and cuts as without it."""
    async with sync_stage(_tracing(server_interceptor)) as stage:
        await _serves_refuses_and_cuts(stage, SYNC_METHODS)


async def _serves_refuses_and_cuts(stage: Stage, methods: tuple[str, ...]) -> None:
    for method in methods:
        await stage.client.call(method, bearing(stage.mint.token()))
        assert (await stage.client.refusal(method)).reason is Reason.MANDATE_MISSING
    assert stage.journal.ran == list(methods)
    mandate = stage.mint.mandate()
    metadata = bearing(stage.mint.token(mandate))
    calls = [await stage.client.open(method, metadata, "idle") for method in methods[2:]]
    stage.view.revoke(mandate.session)
    for call in calls:
        assert (await ending(call)).reason is Reason.MANDATE_REVOKED


async def test_a_handler_that_is_made_anew_for_each_call_is_guarded() -> None:
    """Nothing is remembered of a handler that is not the same one."""
    async with aio_stage() as stage:
        for make in (_coroutine, _plain):
            fresh = grpc.unary_unary_rpc_method_handler(make)
            details = _Details(path("Unary"), bearing(stage.mint.token()))
            guarded = await stage.guard.intercept_service(_answering(fresh), details)
            assert style_of(guarded.unary_unary) is style_of(make)
