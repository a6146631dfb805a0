"""The ledger of a zone as a file, fetched from the authority page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import IO, Any, Final

from caracal_grpc.cli.connection import CALL_TIMEOUT
from caracal_grpc.ledger.export import Header, entry_line, header_line
from caracal_grpc.ledger.port import Stored
from caracal_grpc.v1.audit_service_pb2 import GetCheckpointRequest, SearchRequest

_PAGE: Final = 500


async def write_ledger(stub: Any, zone: str, out: IO[str]) -> Any:
    """Writes what the newest checkpoint of `zone` covers to `out`, and returns that checkpoint.

    What is missing under the checkpoint is left for the verification to name. Raises `AioRpcError`.
    """
    answer = await stub.GetCheckpoint(GetCheckpointRequest(zone=zone), timeout=CALL_TIMEOUT)
    checkpoint = answer.checkpoint
    origin = checkpoint.verifier_key.partition("+")[0]
    out.write(header_line(Header(zone, origin, checkpoint.verifier_key, checkpoint.note)))
    async for stored in _entries(stub, zone, checkpoint.size):
        out.write(entry_line(stored))
    return checkpoint


async def _entries(stub: Any, zone: str, size: int) -> AsyncIterator[Stored]:
    """What the ledger holds of the first `size` entries; what came later is in no checkpoint."""
    request = SearchRequest(zone=zone, page_size=_PAGE)
    while True:
        page = await stub.Search(request, timeout=CALL_TIMEOUT)
        for entry in page.entries:
            if entry.index >= size:
                return
            yield Stored(entry.index, entry.canonical, entry.leaf_hash, entry.checkpoint)
        request.page_token = page.next_page_token
        if not request.page_token:
            return
