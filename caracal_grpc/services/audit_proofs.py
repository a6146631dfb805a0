"""The part of AuditService that proves: checkpoints, proofs, cosignatures, and the sweep."""

from __future__ import annotations

from typing import Any, Final

import grpc.aio

from caracal_grpc.authority.audit.integrity import Integrity
from caracal_grpc.authority.audit.proving import Proving
from caracal_grpc.core.entry import MAX_INT
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.ids import AUDIT, require_id
from caracal_grpc.interceptors.context.current import current_mandate
from caracal_grpc.ledger.notes.note import MAX_NOTE
from caracal_grpc.services import render
from caracal_grpc.services.audit_receipt import checkpoint_message, receipt_message
from caracal_grpc.v1 import audit_service_pb2

Context = grpc.aio.ServicerContext[Any, Any]

_MOST_FINDINGS: Final = 100


class AuditProofRpcs:
    """Parses, proves, renders."""

    _proving: Proving

    async def GetCheckpoint(
        self, request: audit_service_pb2.GetCheckpointRequest, context: Context
    ) -> audit_service_pb2.GetCheckpointResponse:
        """See `AuditService.GetCheckpoint` in the proto."""
        zone = render.zone_name(request.zone)
        checkpoint, key = await self._proving.audit.checkpoint(current_mandate(), zone)
        message = audit_service_pb2.GetCheckpointResponse(
            checkpoint=checkpoint_message(checkpoint, key)
        )
        cosigned = await self._proving.witnesses.newest(zone)
        if cosigned is not None:
            message.cosigned.CopyFrom(checkpoint_message(cosigned, key))
        return message

    async def GetInclusionProof(
        self, request: audit_service_pb2.GetInclusionProofRequest, context: Context
    ) -> audit_service_pb2.GetInclusionProofResponse:
        """See `AuditService.GetInclusionProof` in the proto."""
        zone = render.zone_name(request.zone)
        size = _place("tree_size", request.tree_size)
        target = _target(request)
        proven = await self._proving.proofs.inclusion(current_mandate(), zone, size=size, **target)
        return audit_service_pb2.GetInclusionProofResponse(receipt=receipt_message(proven))

    async def GetConsistencyProof(
        self, request: audit_service_pb2.GetConsistencyProofRequest, context: Context
    ) -> audit_service_pb2.GetConsistencyProofResponse:
        """See `AuditService.GetConsistencyProof` in the proto."""
        zone = render.zone_name(request.zone)
        first = _place("first_size", request.first_size)
        second = _place("second_size", request.second_size)
        proofs = self._proving.proofs
        proof = await proofs.consistency(current_mandate(), zone, first, second)
        return audit_service_pb2.GetConsistencyProofResponse(
            hashes=proof.hashes, checkpoint=checkpoint_message(proof.checkpoint, proofs.key(zone))
        )

    async def GetRangeProof(
        self, request: audit_service_pb2.GetRangeProofRequest, context: Context
    ) -> audit_service_pb2.GetRangeProofResponse:
        """See `AuditService.GetRangeProof` in the proto."""
        zone = render.zone_name(request.zone)
        start = _place("start_index", request.start_index)
        end = _place("end_index", request.end_index)
        size = _place("tree_size", request.tree_size)
        proofs = self._proving.proofs
        proof = await proofs.range(current_mandate(), zone, start, end, size)
        return audit_service_pb2.GetRangeProofResponse(
            before=proof.before,
            after=proof.after,
            checkpoint=checkpoint_message(proof.checkpoint, proofs.key(zone)),
        )

    async def AddCosignature(
        self, request: audit_service_pb2.AddCosignatureRequest, context: Context
    ) -> audit_service_pb2.AddCosignatureResponse:
        """See `AuditService.AddCosignature` in the proto."""
        zone = render.zone_name(request.zone)
        if len(request.note) > MAX_NOTE:
            raise field_invalid("note", f"must be at most {MAX_NOTE} characters")
        await self._proving.witnesses.add(current_mandate(), zone, request.note)
        return audit_service_pb2.AddCosignatureResponse()

    async def GetIntegrity(
        self, request: audit_service_pb2.GetIntegrityRequest, context: Context
    ) -> audit_service_pb2.GetIntegrityResponse:
        """See `AuditService.GetIntegrity` in the proto."""
        zone = render.zone_name(request.zone)
        return _integrity_message(self._proving.sweeping.integrity(current_mandate(), zone))


def _integrity_message(known: Integrity) -> audit_service_pb2.GetIntegrityResponse:
    message = audit_service_pb2.GetIntegrityResponse(
        ready=known.ready,
        checked_size=known.checked_size,
        findings=[
            audit_service_pb2.IntegrityFinding(
                index=-1 if each.index is None else each.index, kind=each.kind, text=each.text
            )
            for each in known.findings[:_MOST_FINDINGS]
        ],
    )
    if known.checked_at is not None:
        message.checked_time.CopyFrom(render.timestamp(known.checked_at))
    return message


def _target(request: audit_service_pb2.GetInclusionProofRequest) -> dict[str, Any]:
    match request.WhichOneof("target"):
        case "audit_id":
            return {"audit_id": require_id("audit_id", request.audit_id, AUDIT)}
        case "index":
            return {"index": _place("index", request.index)}
    raise field_invalid("target", "must be one of audit_id and index")


def _place(field: str, value: int) -> int:
    """An index or a size; raises `FIELD_INVALID` for one that no tree has."""
    if not 0 <= value <= MAX_INT:
        raise field_invalid(field, f"must be 0 to {MAX_INT}")
    return value
