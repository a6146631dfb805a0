"""Users who log in, for these tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.authority.sessions.logins import Login, zone
from tests.support.foreign import ForeignSigner
from tests.support.idp import identity_provider
from tests.support.rig import Rig


@pytest.fixture
async def login(any_rig: Rig) -> AsyncIterator[Login]:
    """Over memory and over etcd."""
    async with AsyncExitStack() as stack:
        now = any_rig.clock.now
        corp = await stack.enter_async_context(identity_provider(now))
        partner = await stack.enter_async_context(
            identity_provider(now, ForeignSigner.generate("ES256"))
        )
        await any_rig.apply(zone(corp=corp.declared(), partner=partner.declared()))
        yield Login(any_rig, corp, partner)
