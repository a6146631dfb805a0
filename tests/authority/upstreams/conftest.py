"""The shop with something behind a gateway."""

from __future__ import annotations

import pytest

from tests.authority.upstreams.desk import Desk, crm_shop
from tests.support.rig import Rig


@pytest.fixture
async def desk(rig: Rig) -> Desk:
    """Over memory."""
    await rig.apply(crm_shop())
    return Desk(rig)


@pytest.fixture
async def any_desk(any_rig: Rig) -> Desk:
    """Over memory, and over a real etcd."""
    await any_rig.apply(crm_shop())
    return Desk(any_rig)
