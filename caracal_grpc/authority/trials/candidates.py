"""The policy that is tried out: compiled for the trial alone, and let go of after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from caracal_grpc.authority.policies.active import active_policy
from caracal_grpc.authority.policies.content import Content
from caracal_grpc.authority.policies.version import require_version
from caracal_grpc.authority.policies.versions import Versions
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.reason import Reason
from caracal_grpc.policy.port import Engine, Policy


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version by its name, or a content that no version was made of; neither is the active one.

    Raises `FIELD_INVALID` for both, and for what names no version.
    """

    version: str = ""
    content: Content | None = None

    def __post_init__(self) -> None:
        if self.version and self.content:
            raise field_invalid("policy", "must be left out where a version is named")
        if self.version:
            require_version("version", self.version)


class Candidates:
    """Opens what is tried out, never the policy that decides: no trial gets in its way."""

    def __init__(self, state: State, versions: Versions, engine: Engine) -> None:
        self._state = state
        self._versions = versions
        self._engine = engine

    @asynccontextmanager
    async def opened(self, zone: str, candidate: Candidate) -> AsyncIterator[Policy]:
        """The policy, ready to be asked.

        Raises `OBJECT_NOT_FOUND`, `NO_ACTIVE_POLICY`, `FIELD_INVALID` for one that does not
        compile, `POLICY_FAILED` and `STORE_UNAVAILABLE`.
        """
        content = candidate.content or await self._versions.load(zone, self._named(zone, candidate))
        policy = await self._engine.compile(await asyncio.to_thread(content.bundle))
        try:
            yield policy
        finally:
            await policy.close()

    def _named(self, zone: str, candidate: Candidate) -> str:
        named = candidate.version or active_policy(self._state, zone).active
        if not named:
            text = "the zone has no active policy; name a version, or send a policy"
            raise CaracalError(Reason.NO_ACTIVE_POLICY, text)
        return named
