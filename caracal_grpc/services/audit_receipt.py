"""Checkpoints and receipts as messages."""

from __future__ import annotations

from caracal_grpc.authority.audit.proofs import Proven
from caracal_grpc.ledger.port import Checkpoint
from caracal_grpc.v1 import audit_pb2


def checkpoint_message(checkpoint: Checkpoint, key: str) -> audit_pb2.Checkpoint:
    """A checkpoint, with the key that verifies it."""
    return audit_pb2.Checkpoint(
        note=checkpoint.note,
        size=checkpoint.size,
        root_hash=checkpoint.root,
        verifier_key=key,
    )


def receipt_message(proven: Proven) -> audit_pb2.Receipt:
    """The proof of an entry."""
    return audit_pb2.Receipt(
        zone=proven.zone,
        index=proven.index,
        leaf_hash=proven.leaf,
        canonical=proven.canonical,
        hashes=proven.proof.hashes,
        checkpoint=checkpoint_message(proven.proof.checkpoint, proven.verifier_key),
    )
