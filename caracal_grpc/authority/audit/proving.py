"""All that proves a ledger, at one place for who serves it."""

from __future__ import annotations

from dataclasses import dataclass

from caracal_grpc.authority.audit.audit import Audit
from caracal_grpc.authority.audit.proofs import AuditProofs
from caracal_grpc.authority.audit.sweeping import Sweeping
from caracal_grpc.authority.audit.witnesses import Witnesses


@dataclass(frozen=True, slots=True)
class Proving:
    """Checkpoints, proofs, the cosignatures of witnesses, and the sweep of this replica."""

    audit: Audit
    proofs: AuditProofs
    witnesses: Witnesses
    sweeping: Sweeping
