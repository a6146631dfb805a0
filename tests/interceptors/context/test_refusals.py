"""A refused call has a request id, too: by it the caller's log line and ours are found together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.interceptors.context.current import current_mandate, current_request_id
from caracal_grpc.interceptors.telemetry.refusal_log import RefusalLog
from tests.interceptors.context.conftest import STYLES
from tests.support.echo_client import bearing, ending
from tests.support.echo_server import Stage, aio_stage, sync_stage

REQUEST = (("x-request-id", "from-the-caller-1"),)


class _Hearing:
    """Notes under which request id it is told of each refusal, and writes the line of it."""

    def __init__(self) -> None:
        self.ids: list[str | None] = []
        self._write = RefusalLog()

    def __call__(self, method: str, error: CaracalError, mandate: Mandate | None) -> None:
        with pytest.raises(CaracalError):
            current_mandate()
        self.ids.append(current_request_id())
        self._write(method, error, mandate)


@asynccontextmanager
async def _stage(stack: str, hearing: _Hearing) -> AsyncIterator[Stage]:
    async with (aio_stage if stack == "aio" else sync_stage)() as stage:
        stage.guard._desk.gate._on_refusal = hearing
        yield stage


@pytest.mark.parametrize(("stack", "name"), STYLES)
async def test_who_is_told_of_a_refusal_knows_its_request_id(
    stack: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """So does the line of the log, in its text and as a field."""
    caplog.set_level("INFO", logger="caracal.guard")
    hearing = _Hearing()
    async with _stage(stack, hearing) as stage:
        await stage.client.refusal(name, REQUEST)
        assert stage.journal.ran == []
    assert hearing.ids == ["from-the-caller-1"]
    (record,) = (each for each in caplog.records if each.name == "caracal.guard")
    assert record.getMessage().endswith(" request_id=from-the-caller-1")
    assert vars(record)["request_id"] == "from-the-caller-1"


@pytest.mark.parametrize(
    ("stack", "name"), [("aio", "Expand"), ("aio", "PlainExpand"), ("sync", "Expand")]
)
async def test_who_is_told_of_a_cut_knows_its_request_id(stack: str, name: str) -> None:
    """Whichever thread cuts."""
    hearing = _Hearing()
    async with _stage(stack, hearing) as stage:
        mandate = stage.mint.mandate()
        token = bearing(stage.mint.token(mandate))
        call = await stage.client.open(name, (*token, *REQUEST), "idle")
        stage.view.revoke(mandate.session)
        await ending(call)
    assert hearing.ids == ["from-the-caller-1"]
