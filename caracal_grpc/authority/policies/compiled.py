"""A compiled policy that is let go of when nobody asks it any more."""

from __future__ import annotations

from caracal_grpc.core.decision import Decision
from caracal_grpc.policy.port import Explanation, Policy


class CompiledPolicy:
    """A policy under the key that its source gave it (`source.Active`)."""

    def __init__(self, key: str, policy: Policy) -> None:
        self.key = key
        self._policy = policy
        self._asking = 0
        self._retired = False
        self._closed = False

    @property
    def version(self) -> str:
        """What the mandates that it grants say."""
        return self._policy.version

    async def decide(self, question: str) -> Decision:
        """The answer to `question`; raises `POLICY_FAILED`."""
        self._asking += 1
        try:
            return await self._policy.decide(question)
        finally:
            await self._asked()

    async def explain(self, question: str) -> Explanation:
        """The answer with the rules behind it."""
        self._asking += 1
        try:
            return await self._policy.explain(question)
        finally:
            await self._asked()

    async def retire(self) -> None:
        """Closes the policy, or lets the last who asks it close it."""
        self._retired = True
        await self._close_if_idle()

    async def _asked(self) -> None:
        self._asking -= 1
        await self._close_if_idle()

    async def _close_if_idle(self) -> None:
        if self._retired and not self._asking and not self._closed:
            self._closed = True
            await self._policy.close()
