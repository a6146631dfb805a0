"""What the ledger says of the flows: each decision explained, and the whole checked offline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from caracal_grpc.cli.audit.ledger_file import write_ledger
from caracal_grpc.cli.demo.agent import TIMEOUT
from caracal_grpc.cli.demo.stage import Stage
from caracal_grpc.crypto.ledger_key import verify_ed25519
from caracal_grpc.ledger.checks.verify import verify_file
from caracal_grpc.v1 import audit_service_pb2
from caracal_grpc.v1.audit_service_pb2_grpc import AuditServiceStub


@dataclass(frozen=True, slots=True)
class Verdict:
    """What checking the exported ledger came to. `root` is that of its tree."""

    entries: int
    root: str
    verified: bool

    def view(self) -> dict[str, Any]:
        """The verdict for programs."""
        return {"entries": self.entries, "root": self.root, "verified": self.verified}


class Record:
    """The ledger of the shop's zone, as an auditor reads it who keeps the checkpoint `pinned`."""

    def __init__(self, stage: Stage, stub: Any, pinned: Any) -> None:
        self._stage = stage
        self._stub = stub
        self._pinned = pinned

    @classmethod
    async def kept(cls, stage: Stage) -> Record:
        """The ledger, with its present checkpoint pinned; raises `AioRpcError`."""
        stub: Any = AuditServiceStub(stage.operator)
        request = audit_service_pb2.GetCheckpointRequest(zone=stage.zone)
        return cls(stage, stub, (await stub.GetCheckpoint(request, timeout=TIMEOUT)).checkpoint)

    async def explain(self, audit_id: str) -> Any:
        """How what is recorded there came about; raises `AioRpcError` without such an entry."""
        request = audit_service_pb2.ExplainRequest(zone=self._stage.zone, audit_id=audit_id)
        return await self._stub.Explain(request, timeout=TIMEOUT)

    async def verify(self) -> Verdict:
        """Exports the ledger into a file, and checks that file offline.

        It must be signed by the pinned key, and contain what the pinned checkpoint covers.
        """
        file = self._stage.folder / "ledger.jsonl"
        with file.open("w", encoding="ascii", newline="\n") as out:
            checkpoint = await write_ledger(self._stub, self._stage.zone, out)
        report = verify_file(
            file,
            verifier_key=self._pinned.verifier_key,
            checkpoint=self._pinned.note,
            verify=verify_ed25519,
        )
        whole = report.entries == checkpoint.size
        return Verdict(report.entries, report.root.hex(), report.ok and whole)
