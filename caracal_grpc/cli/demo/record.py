"""What the ledger says of the flows: each decision explained, and the whole checked offline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from caracal_grpc.cli.demo.agent import TIMEOUT
from caracal_grpc.cli.demo.stage import Stage
from caracal_grpc.cli.ledger_file import write_ledger
from caracal_grpc.crypto.ledger_key import verify_ed25519
from caracal_grpc.ledger.verify import verify_file
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
    """The ledger of the shop's zone, as the operator reads it."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._stub: Any = AuditServiceStub(stage.operator)

    async def explain(self, audit_id: str) -> Any:
        """How what is recorded there came about; raises `AioRpcError` without such an entry."""
        request = audit_service_pb2.ExplainRequest(zone=self._stage.zone, audit_id=audit_id)
        return await self._stub.Explain(request, timeout=TIMEOUT)

    async def verify(self) -> Verdict:
        """Exports the ledger into a file, and checks that file with nothing but the pinned key."""
        file = self._stage.folder / "ledger.jsonl"
        with file.open("w", encoding="ascii", newline="\n") as out:
            checkpoint = await write_ledger(self._stub, self._stage.zone, out)
        report = verify_file(file, verifier_key=checkpoint.verifier_key, verify=verify_ed25519)
        whole = report.entries == checkpoint.size
        return Verdict(report.entries, report.root.hex(), report.ok and whole)
