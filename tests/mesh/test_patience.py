"""How long an answer may take: less than whoever asks waits for it."""

from __future__ import annotations

import pytest

from caracal_grpc.mesh.patience import MOST, UNSAID, Patience


@pytest.mark.parametrize("waits", [0.2, 1.0, 5.0, MOST])
def test_there_is_time_to_refuse(waits: float) -> None:
    """First for what the authority leaves open, then for what this process does."""
    patience = Patience(lambda: waits)
    assert 0 < patience.authority() < patience.answer() < waits


@pytest.mark.parametrize("patience", [Patience(lambda: 600.0), UNSAID])
def test_nobody_waits_for_ever(patience: Patience) -> None:
    """Though the proxy would."""
    assert patience.authority() < patience.answer() < MOST


def test_what_is_over_is_over() -> None:
    """No time is left of less than none."""
    patience = Patience(lambda: -3.0)
    assert (patience.authority(), patience.answer()) == (0.0, 0.0)
