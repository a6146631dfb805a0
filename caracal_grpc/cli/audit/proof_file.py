"""Reading what `audit receipt`, `checkpoint` and `consistency` handed out, or anybody else did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from google.protobuf.json_format import ParseDict, ParseError

from caracal_grpc.cli.errors import usage
from caracal_grpc.ledger.checks.heads import Growth
from caracal_grpc.ledger.checks.receipt_check import Evidence
from caracal_grpc.v1.audit_pb2 import Receipt
from caracal_grpc.v1.audit_service_pb2 import GetConsistencyProofResponse

_MOST: Final = 1 << 20
"""Bytes of a proof: a receipt has one entry."""


def read_note(path: Path) -> str:
    """The signed note in a file; raises `CliError`."""
    try:
        return _head(path).decode()
    except (OSError, UnicodeDecodeError) as exc:
        raise usage(f"--checkpoint {path} cannot be read; it must hold a signed note") from exc


def read_growth(path: Path) -> Growth:
    """The consistency proof in a file; raises `CliError`."""
    problem = f"--consistency {path} cannot be read; it must hold what audit consistency wrote"
    try:
        value = _object(_head(path))
        if value is None:
            raise usage(problem)
        proof = ParseDict(value, GetConsistencyProofResponse())
    except (OSError, ParseError) as exc:
        raise usage(problem) from exc
    return Growth(tuple(proof.hashes), proof.checkpoint.note)


def receipt_in(path: Path) -> dict[str, Any] | None:
    """What may be a receipt in a file; `None` when it is something else, such as a ledger."""
    value = _object(_head(path))
    return value if value is not None and isinstance(value.get("checkpoint"), dict) else None


def evidence(value: dict[str, Any]) -> Evidence | None:
    """What a receipt says; `None` when it is not in the JSON of protobuf."""
    try:
        receipt = ParseDict(value, Receipt())
    except ParseError:
        return None
    return Evidence(
        receipt.zone,
        receipt.index,
        receipt.leaf_hash,
        receipt.canonical,
        tuple(receipt.hashes),
        receipt.checkpoint.note,
        receipt.checkpoint.verifier_key,
    )


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MOST)


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
