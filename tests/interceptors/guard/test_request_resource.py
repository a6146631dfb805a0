"""A resource taken from a field of the request, held by real servers in every style of handler."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.rules.rules import Rules
from tests.interceptors.conftest import Eventually
from tests.support.echo import AIO_METHODS, ARITIES, SYNC_METHODS, path, text
from tests.support.echo_client import bearing, ending
from tests.support.echo_server import Setup, Stage, aio_stage, sync_stage

FAMILY = "resource://echo/*"
MINE = "resource://echo/hi"
STYLES = [
    *(pytest.param(aio_stage, name, id=f"aio-{name}") for name in AIO_METHODS),
    *(pytest.param(sync_stage, name, id=f"sync-{name}") for name in SYNC_METHODS),
]
UPLOADS = [each for each in STYLES if ARITIES[str(each.values[1])][0]]
STRANGE = ["", ".", "...", "a/b", "*", "a b", "hi\n", "é", "\u0661", "hi%2f", "x" * 129]

Make = Callable[..., Any]
each_style = pytest.mark.parametrize(("make", "method"), STYLES)
each_upload = pytest.mark.parametrize(("make", "method"), UPLOADS)


def rules(resource: str = "resource://echo/{value}", **more: Any) -> Rules:
    """Every method is about the resource that its request names."""
    entry = {"resource": resource, "scopes": ["echo:call"], **more}
    return Rules.from_mapping({path(name): entry for name in ARITIES})


@asynccontextmanager
async def staged(make: Make, resource: str = "resource://echo/{value}") -> AsyncIterator[Stage]:
    """A server whose methods have that rule."""
    async with make(Setup(rules=rules(resource))) as stage:
        yield stage


async def sent(stage: Stage, method: str, value: str, resource: str = MINE) -> Any:
    """A call with one request, under a mandate for `resource`; a stream stays open."""
    call = stage.client.start(method, bearing(stage.mint.token(resource=resource)), value)
    if ARITIES[method][0]:
        await call.write(text(value))
    return call


@each_style
async def test_the_handler_runs_for_the_resource_of_the_mandate(make: Make, method: str) -> None:
    """And sees the request."""
    async with staged(make) as stage:
        answers = await stage.client.call(method, bearing(stage.mint.token(resource=MINE)))
        assert answers[0].startswith("hi|")
        assert stage.journal.heard == ["hi"]
        assert stage.refusals == []


@each_style
async def test_a_request_for_another_resource_never_reaches_the_handler(
    make: Make, method: str, eventually: Eventually
) -> None:
    """The caller learns which resource it asked for."""
    async with staged(make) as stage:
        error = await ending(await sent(stage, method, "yours"))
        assert error.reason is Reason.AUDIENCE_MISMATCH
        assert error.metadata == {"expected": "resource://echo/yours"}
        assert stage.journal.heard == []
        assert stage.journal.ran == ([stage.journal.ran[0]] if ARITIES[method][0] else [])
        await eventually(lambda: stage.guard.open_streams == 0)
        assert [refusal[1].reason for refusal in stage.refusals] == [Reason.AUDIENCE_MISMATCH]


@each_upload
async def test_a_stream_ends_at_its_first_message_about_another_resource(
    make: Make, method: str, eventually: Eventually
) -> None:
    """The handler saw the two before, and runs no further."""
    async with staged(make) as stage:
        call = await sent(stage, method, "hi")
        for value in ("hi", "yours"):
            if ARITIES[method][1]:
                await call.read()
            await call.write(text(value))
        error = await ending(call)
        assert error.reason is Reason.AUDIENCE_MISMATCH
        assert error.metadata == {"expected": "resource://echo/yours"}
        await eventually(lambda: len(stage.journal.ended) == 1)
        assert stage.journal.heard == ["hi", "hi"]
        await eventually(lambda: stage.guard.open_streams == 0)
        assert [refusal[1].reason for refusal in stage.refusals] == [Reason.AUDIENCE_MISMATCH]


@each_style
@pytest.mark.parametrize("value", ["", "x" * 129], ids=["empty", "long"])
async def test_a_request_that_names_no_resource_is_refused(
    make: Make, method: str, value: str
) -> None:
    """Naming the field, and not what was in it."""
    async with staged(make) as stage:
        error = await ending(await sent(stage, method, value))
        assert error.reason is Reason.FIELD_INVALID
        assert [violation.field for violation in error.violations] == ["value"]
        assert "xxx" not in error.message
        assert stage.journal.heard == []


@pytest.mark.parametrize("value", STRANGE)
@pytest.mark.parametrize("method", ["Unary", "Chat"])
async def test_no_value_is_bent_into_the_name_of_a_resource(method: str, value: str) -> None:
    """Not by trimming, decoding or folding; and a path leads nowhere else."""
    async with staged(aio_stage) as stage:
        for resource in (MINE, "resource://echo/a"):
            error = await ending(await sent(stage, method, value, resource))
            assert error.reason is Reason.FIELD_INVALID
        assert stage.journal.heard == []


@each_style
async def test_a_mandate_outside_the_family_opens_nothing(make: Make, method: str) -> None:
    """Nor does one for the family itself, or for what all of its names begin with."""
    async with staged(make) as stage:
        for resource in (
            FAMILY,
            "resource://echo",
            "resource://echo/",
            "resource://echo/..",
            "resource://echo/hi/hi",
            "resource://echoes/hi",
            "resource://echo/{value}",
        ):
            token = stage.mint.token(resource=resource)
            error = await stage.client.refusal(method, bearing(token))
            assert error.reason is Reason.AUDIENCE_MISMATCH
            opened = ARITIES[method][0]
            assert error.metadata == {"expected": FAMILY if opened else MINE}
        assert stage.journal.ran == []


@each_style
async def test_the_rest_of_the_verdict_holds(make: Make, method: str) -> None:
    """The right resource lets in no mandate without the scope, or that is over."""
    async with staged(make) as stage:
        lacking = stage.mint.token(resource=MINE, scopes=frozenset({"echo:look"}))
        error = await stage.client.refusal(method, bearing(lacking))
        assert error.reason is Reason.SCOPE_INSUFFICIENT
        mandate = stage.mint.mandate(resource=MINE)
        stage.view.revoke(mandate.jti)
        error = await stage.client.refusal(method, bearing(stage.mint.token(mandate)))
        assert error.reason is Reason.MANDATE_REVOKED
        assert stage.journal.ran == []


@each_style
async def test_a_field_that_requests_do_not_have_counts_as_no_rule(
    make: Make, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A rule of a mapping meets its requests late; the log says what is wrong with it."""
    async with staged(make, "resource://echo/{order_id}") as stage:
        error = await ending(await sent(stage, method, "hi"))
        assert error.reason is Reason.METHOD_NOT_DECLARED
        assert error.metadata == {"method": path(method)}
        assert stage.journal.heard == []
    assert "order_id" in caplog.text
    assert path(method) in caplog.text


@each_style
async def test_a_request_for_another_resource_uses_no_mandate_up(make: Make, method: str) -> None:
    """Of a method that takes each once; a stream uses it up when it is opened."""
    async with make(Setup(rules=rules(single_use=True))) as stage:
        mandate = stage.mint.mandate(resource=MINE)
        metadata, consumption = bearing(stage.mint.token(mandate)), stage.mint.authority.consumption
        if not ARITIES[method][0]:
            error = await stage.client.refusal(method, metadata, "yours")
            assert error.reason is Reason.AUDIENCE_MISMATCH
            assert consumption.consumed == frozenset()
        await stage.client.call(method, metadata)
        assert stage.journal.heard == ["hi"]
        assert consumption.consumed == {mandate.jti}
        assert (await stage.client.refusal(method, metadata)).reason is Reason.MANDATE_REPLAYED
