"""The zone that these tests authenticate in."""

from __future__ import annotations

import pytest

from tests.authority.workloads.mesh import Mesh
from tests.support.rig import Rig


@pytest.fixture
async def mesh(rig: Rig) -> Mesh:
    """The zone, over memory."""
    made = Mesh(rig)
    await rig.apply(made.zone())
    return made
