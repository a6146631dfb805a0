"""Every cardinality in every style: a good mandate is served, and a bad one never runs anything."""

from __future__ import annotations

import pytest

from caracal_grpc.core.reason import Reason
from tests.support.echo import AIO_METHODS, SYNC_METHODS
from tests.support.echo_client import bearing
from tests.support.echo_server import Stage


@pytest.mark.parametrize("method", AIO_METHODS)
async def test_a_good_mandate_is_served_by_an_aio_server(aio: Stage, method: str) -> None:
    """The handler runs once, under the mandate that was sent."""
    mandate = aio.mint.mandate()
    answers = await aio.client.call(method, bearing(aio.mint.token(mandate)))
    assert aio.journal.ran == [method]
    assert aio.journal.seen == [mandate.jti]
    assert answers[0].startswith(f"hi|{mandate.jti}")


@pytest.mark.parametrize("method", SYNC_METHODS)
async def test_a_good_mandate_is_served_by_a_sync_server(sync: Stage, method: str) -> None:
    """The handler runs once, under the mandate that was sent."""
    mandate = sync.mint.mandate()
    answers = await sync.client.call(method, bearing(sync.mint.token(mandate)))
    assert sync.journal.ran == [method]
    assert sync.journal.seen == [mandate.jti]
    assert answers[0].startswith(f"hi|{mandate.jti}")


@pytest.mark.parametrize("method", AIO_METHODS)
async def test_no_mandate_runs_nothing_on_an_aio_server(aio: Stage, method: str) -> None:
    """The refusal has the right arity: code and reason arrive, and no message was even parsed."""
    error = await aio.client.refusal(method)
    assert error.reason is Reason.MANDATE_MISSING
    assert (aio.journal.ran, aio.journal.parsed) == ([], 0)


@pytest.mark.parametrize("method", SYNC_METHODS)
async def test_no_mandate_runs_nothing_on_a_sync_server(sync: Stage, method: str) -> None:
    """The refusal has the right arity: code and reason arrive, and no message was even parsed."""
    error = await sync.client.refusal(method)
    assert error.reason is Reason.MANDATE_MISSING
    assert (sync.journal.ran, sync.journal.parsed) == ([], 0)
