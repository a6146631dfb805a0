"""The relay, declared."""

from __future__ import annotations

import pytest

from tests.support.relay import relay
from tests.support.rig import Rig


@pytest.fixture
async def relays(rig: Rig) -> Rig:
    """An authority over memory whose shop has workers."""
    await rig.apply(relay())
    return rig


@pytest.fixture
async def any_relays(any_rig: Rig) -> Rig:
    """The same over memory and over a real etcd, one after the other."""
    await any_rig.apply(relay())
    return any_rig
