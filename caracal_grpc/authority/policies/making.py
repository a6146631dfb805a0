"""Versions made and removed, by whoever it is, each with its entry in the ledger."""

from __future__ import annotations

from caracal_grpc.authority.policies.content import Content
from caracal_grpc.authority.policies.version import Version
from caracal_grpc.authority.policies.versions import Made, Versions
from caracal_grpc.authority.state.owed import Owed
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.core.entry import MAX_ITEMS, plain_text
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.store.port import Expect, Put


class Making:
    """Changes what versions there are. `caller` is `None` for the authority itself."""

    def __init__(self, versions: Versions, recorder: Recorder) -> None:
        self._versions = versions
        self._recorder = recorder

    async def make(
        self, caller: Mandate | None, zone: str, version: str, content: Content, description: str
    ) -> tuple[Made, str]:
        """The version of `content`, and its entry, empty when there was it already.

        Raises what `Versions.make` raises, and `AUDIT_UNAVAILABLE`.
        """
        by = caller.application if caller else ""
        owed: list[Owed] = []

        def also(head: Version) -> list[Put]:
            owed[:] = [self.owed(caller, zone, head)]
            return [each.put for each in owed]

        made = await self._versions.make(zone, version, content, description, by, also)
        if not made.new:
            return made, ""
        return made, await self._recorder.pay(owed[0])

    async def delete(
        self, caller: Mandate | None, zone: str, version: str, expect: Expect
    ) -> tuple[int, str]:
        """Removes a version if `expect` holds; the revision at which it is gone, and the entry.

        Raises what `Versions.delete` raises, and `AUDIT_UNAVAILABLE`.
        """
        owed = self._recorder.owed(
            caller, zone, "policy.delete", policy_version=version, details={"before": version}
        )
        revision = await self._versions.delete(zone, version, expect, also=owed.put)
        return revision, await self._recorder.pay(owed)

    def owed(self, caller: Mandate | None, zone: str, made: Version) -> Owed:
        """The entry that says that the version was made."""
        details = {
            "grants": made.grants,
            "modules": [plain_text(name) for name in made.modules[:MAX_ITEMS]],
            "description": made.description,
        }
        return self._recorder.owed(
            caller, zone, "policy.create", policy_version=made.id, details=details
        )
