"""How an edge is told what to record."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors import Recording, connect, connect_sync
from tests.interceptors.support import profile
from tests.support.refusals import refused


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("record.sampling_rate", {"sampling_rate": -0.1}),
        ("record.sampling_rate", {"sampling_rate": 1.1}),
        ("record.sampling_rate", {"sampling_rate": float("nan")}),
        ("record.sampling_rate", {"sampling_rate": "1"}),
        ("record.sampling_rate", {"sampling_rate": True}),
        ("record.buffer", {"buffer": 0}),
        ("record.buffer", {"buffer": 1_000_001}),
        ("record.buffer", {"buffer": 1.5}),
        ("record.spill_bytes", {"spill_bytes": 1}),
        ("record.spill_bytes", {"spill_bytes": 1e9}),
    ],
)
def test_setting_out_of_bounds_is_named(field: str, values: dict[str, Any]) -> None:
    """FIELD_INVALID."""
    with refused(Reason.FIELD_INVALID) as seen:
        Recording(**values)
    assert seen.fields == [field]


@pytest.mark.parametrize("record", [None, 1, "yes", {"sampling_rate": 1}])
@pytest.mark.parametrize("open_edge", [connect, connect_sync])
def test_record_is_a_recording_or_yes_or_no(open_edge: Any, record: Any) -> None:
    """FIELD_INVALID, where the edge is made."""
    with refused(Reason.FIELD_INVALID) as seen:
        open_edge(profile("127.0.0.1:1"), record=record)
    assert seen.fields == ["record"]


def test_true_is_the_default_and_false_is_nothing() -> None:
    """Refusals only, in memory."""
    assert Recording.of(True) == Recording(0.0, 10_000, None, 64 * 1024 * 1024)
    assert Recording.of(False) is None
