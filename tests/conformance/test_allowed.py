"""A call that is allowed: the handler runs once, under the mandate that was sent, and ends."""

from __future__ import annotations

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors import current_mandate
from tests.conformance.stage import staged
from tests.conformance.styles import BARE, CARDINALITIES, HANDLERS, STYLES, Handler


@pytest.mark.parametrize("style", STYLES)
def test_each_style_has_each_cardinality_or_says_why_not(style: str) -> None:
    """No cell is missing without a word."""
    has, absent = STYLES[style].handlers, STYLES[style].absent
    assert has.keys() | absent.keys() == CARDINALITIES.keys()
    assert not has.keys() & absent.keys()


@pytest.mark.parametrize("handler", HANDLERS, ids=str)
async def test_a_good_call_is_served_under_its_mandate(handler: Handler) -> None:
    """From the first line of the handler to its `finally`, and nowhere after it.

    The next call in the same thread or loop is of a method that the guard leaves alone, so that it
    would find what was left there.
    """
    async with staged(handler, threads=1) as stage:
        answers = await stage.answers("one", "two")
        await stage.settled()
        expected = ["one", "two"] if handler.takes else ["one"]
        assert (stage.journal.seen, stage.journal.complete) == (expected, handler.takes)
        assert sorted(answers) == (expected if handler.gives else [",".join(expected)])
        assert (stage.journal.ran, stage.journal.sights) == (1, {stage.mandate.jti})
        stage.journal.sights.clear()
        await stage.answers("three", path=BARE)
        await stage.settled()
        assert (stage.journal.ran, stage.journal.sights) == (2, {None})
        with pytest.raises(CaracalError) as outside:
            current_mandate()
        assert outside.value.reason is Reason.MANDATE_MISSING
        assert stage.reasons == []
