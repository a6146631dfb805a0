"""Fixtures of the tests of backups."""

from __future__ import annotations

from pathlib import Path

import pytest

from caracal_grpc.crypto.kek import Kek
from tests.authority.conftest import clock, rig
from tests.backup.loss import Loss
from tests.support.clock import FakeClock

__all__ = ["clock", "rig"]


@pytest.fixture
def loss(tmp_path: Path, clock: FakeClock) -> Loss:
    """A loss that has not happened yet."""
    return Loss(tmp_path, clock, Kek.generate())
