"""The ledger of a zone as a file, streamed from the authority."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import IO, Any

from caracal_grpc.cli.connection import CALL_TIMEOUT
from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.ledger.checks.export import Header, entry_line, header_line
from caracal_grpc.ledger.entries.stored import Stored
from caracal_grpc.v1.audit_service_pb2 import (
    GetCheckpointRequest,
    GetRangeProofRequest,
    GetRangeProofResponse,
    ReadRequest,
    SearchRequest,
)


async def write_ledger(stub: Any, zone: str, out: IO[str], start: int = 0, end: int = 0) -> Any:
    """Writes the entries of `zone` with `start` <= index < `end` to `out`; `end` 0 is all.

    Returns the checkpoint that covers them. What is missing is left for the verification to name.
    Raises `AioRpcError`, and `CliError` when the authority falls silent.
    """
    proof = await _proof(stub, zone, start, end)
    end = end or proof.checkpoint.size
    out.write(header_line(_header(zone, proof, start, end)))
    if start < end:
        async for entry in _entries(stub, zone, start, end):
            out.write(entry_line(_stored(entry)))
    return proof.checkpoint


async def _proof(stub: Any, zone: str, start: int, end: int) -> Any:
    """What is around the range; around all there is nothing.

    So a ledger that no longer agrees with itself can be exported, and verified, all the same.
    """
    if start or end:
        request = GetRangeProofRequest(zone=zone, start_index=start, end_index=end)
        return await stub.GetRangeProof(request, timeout=CALL_TIMEOUT)
    answer = await stub.GetCheckpoint(GetCheckpointRequest(zone=zone), timeout=CALL_TIMEOUT)
    return GetRangeProofResponse(checkpoint=answer.checkpoint)


def _stored(entry: Any) -> Stored:
    checkpoint, personal = entry.checkpoint, entry.personal
    return Stored(entry.index, entry.canonical, entry.leaf_hash, checkpoint, personal)


def _header(zone: str, proof: Any, start: int, end: int) -> Header:
    key = proof.checkpoint.verifier_key
    origin = key.partition("+")[0]
    subtrees = tuple(proof.before), tuple(proof.after)
    return Header(zone, origin, key, proof.checkpoint.note, start, end, *subtrees)


async def _entries(stub: Any, zone: str, start: int, end: int) -> AsyncIterator[Any]:
    """The entries of the range, the pruned ones by their hashes; however long it takes."""
    request = ReadRequest(
        query=SearchRequest(zone=zone), include_pruned=True, start_index=start, end_index=end
    )
    parts = aiter(stub.Read(request))
    while (part := await _next(parts)) is not None:
        for entry in part.entries:
            yield entry


async def _next(parts: AsyncIterator[Any]) -> Any:
    """The next part, or `None` behind the last."""
    try:
        async with asyncio.timeout(CALL_TIMEOUT):
            return await anext(parts, None)
    except TimeoutError as exc:
        text = f"the authority fell silent for {CALL_TIMEOUT:.0f} s while the ledger was read"
        raise CliError(ExitCode.UNAVAILABLE, text) from exc
