"""Where exchanges act: the innermost place of their application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.context.session import (
    STANDING,
    InSession,
    acting_in,
    current_place,
    place_of,
    placed,
)
from tests.support.refusals import refused

ONE, OTHER = "ses_01h455vb4pex5vsknk084sn02q", "ses_01h455vb4pex5vsknk084sn02r"


class Lost:
    """A session that somebody took over."""

    def refused(self) -> CaracalError:
        """Why."""
        return CaracalError(Reason.LEASE_FENCED, "stop the work")


def test_nobody_acts_anywhere_unless_told() -> None:
    """That is the standing session."""
    assert current_place("app_1") is None


def test_the_innermost_counts_and_ends_with_its_block() -> None:
    """Also where it is the standing session again."""
    with acting_in(ONE):
        with acting_in(OTHER):
            assert current_place("app_1") == InSession(OTHER)
        assert current_place("app_1") == InSession(ONE)
        with acting_in(None):
            assert current_place("app_1") is STANDING
    assert current_place("app_1") is None


def test_the_session_of_another_application_is_looked_through() -> None:
    """What is below it counts."""
    mine, theirs = InSession(ONE, "app_1"), InSession(OTHER, "app_2")
    with placed(mine), placed(theirs):
        assert current_place("app_1") == mine
        assert current_place("app_2") == theirs
        assert current_place("app_3") is None


def test_a_place_that_was_lost_is_refused() -> None:
    """And one that may be is not, until it is."""
    lost = InSession(ONE, fate=Lost())
    with refused(Reason.LEASE_FENCED):
        lost.require()
    assert place_of(lost) is lost
    assert InSession(ONE).require() == InSession(ONE)


async def test_a_block_that_another_context_closes_leaves_that_one_as_it_is() -> None:
    """A fixture is entered by one task and left by another."""

    @asynccontextmanager
    async def entered() -> AsyncIterator[None]:
        with acting_in(ONE):
            yield

    block = entered()
    await asyncio.create_task(block.__aenter__())
    with acting_in(OTHER):
        await block.__aexit__(None, None, None)
        assert current_place("app_1") == InSession(OTHER)
