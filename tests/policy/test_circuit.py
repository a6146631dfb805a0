"""A circuit: when it opens, who passes, and what keeps it open."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager

import pytest

from caracal_grpc.policy.circuit import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    THRESHOLD,
    Circuit,
    CircuitOpenError,
)
from tests.support.clock import FakeClock


def passage(circuit: Circuit) -> AbstractContextManager[None]:
    """A way through, on which an `OSError` is a failure."""
    return circuit.passing(OSError)


def fail(circuit: Circuit) -> None:
    """One failure."""
    with contextlib.suppress(OSError), passage(circuit):
        raise OSError


def wait(circuit: Circuit) -> float:
    """How long nobody passes."""
    with pytest.raises(CircuitOpenError) as seen, passage(circuit):
        pytest.fail("it lets pass")
    return seen.value.wait


def test_failures_in_a_row_open_it() -> None:
    """One success between them, and none of those before counts."""
    circuit = Circuit(FakeClock())
    for _ in range(2):
        for _ in range(THRESHOLD - 1):
            fail(circuit)
        with passage(circuit):
            pass
    for _ in range(THRESHOLD):
        fail(circuit)
    assert wait(circuit) == FIRST_PAUSE


def test_other_exceptions_say_nothing() -> None:
    """Who gives up tells neither of success nor of failure."""
    circuit = Circuit(FakeClock())
    for _ in range(2 * THRESHOLD):
        with contextlib.suppress(KeyError), passage(circuit):
            raise KeyError
    with passage(circuit):
        pass


def test_failed_probes_keep_it_open_for_longer_each_time() -> None:
    """Twice as long, up to a bound."""
    clock = FakeClock()
    circuit = Circuit(clock)
    for _ in range(THRESHOLD):
        fail(circuit)
    waits = []
    for _ in range(8):
        waits.append(wait(circuit))
        clock.advance(waits[-1])
        fail(circuit)
    assert waits[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert waits[-1] == LONGEST_PAUSE


def test_late_failures_prolong_nothing() -> None:
    """Those that were on their way when it opened are no probes."""
    clock = FakeClock()
    circuit = Circuit(clock)
    with contextlib.suppress(OSError), passage(circuit):
        for _ in range(THRESHOLD):
            fail(circuit)
        clock.advance(FIRST_PAUSE / 2)
        raise OSError
    assert wait(circuit) == FIRST_PAUSE  # at least as long as that, however little is left
    clock.advance(FIRST_PAUSE / 2)
    with passage(circuit):
        assert wait(circuit) == FIRST_PAUSE
    with passage(circuit), passage(circuit):
        pass
