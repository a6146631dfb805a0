"""Versions made and removed, by whoever it is, each with its entry in the ledger."""

from __future__ import annotations

from caracal_grpc.authority.policies.content import Content
from caracal_grpc.authority.policies.version import Version
from caracal_grpc.authority.policies.versions import Made, Versions
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.entry import MAX_ITEMS, plain_text
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.store.port import Expect


class Making:
    """Changes what versions there are. `caller` is `None` for the authority itself."""

    def __init__(self, state: State, versions: Versions, recorder: Recorder) -> None:
        self._state = state
        self._versions = versions
        self._recorder = recorder

    async def make(
        self, caller: Mandate | None, zone: str, version: str, content: Content, description: str
    ) -> tuple[Made, str]:
        """The version of `content`, and its entry, empty when there was it already.

        In a zone that is about to be made there is no ledger yet: then `record` writes the entry
        once there is. Raises what `Versions.make` raises, and `AUDIT_UNAVAILABLE`.
        """
        by = caller.application if caller else ""
        made = await self._versions.make(zone, version, content, description, by)
        recordable = made.new and self._state.find_zone(zone) is not None
        return made, await self.record(caller, zone, made.version) if recordable else ""

    async def record(self, caller: Mandate | None, zone: str, made: Version) -> str:
        """The entry that says that the version was made; raises `AUDIT_UNAVAILABLE`."""
        details = {
            "grants": made.grants,
            "modules": [plain_text(name) for name in made.modules[:MAX_ITEMS]],
            "description": made.description,
        }
        return await self._recorder.done(
            caller, zone, "policy.create", policy_version=made.id, details=details
        )

    async def delete(
        self, caller: Mandate | None, zone: str, version: str, expect: Expect
    ) -> tuple[int, str]:
        """Removes a version if `expect` holds; the revision at which it is gone, and the entry.

        Raises what `Versions.delete` raises, and `AUDIT_UNAVAILABLE`.
        """
        revision = await self._versions.delete(zone, version, expect)
        audit_id = await self._recorder.done(
            caller, zone, "policy.delete", policy_version=version, details={"before": version}
        )
        return revision, audit_id
