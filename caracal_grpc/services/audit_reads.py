"""The part of AuditService that gives entries: Search and Read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, Final

import grpc.aio

from caracal_grpc.authority.audit.audit import Audit
from caracal_grpc.authority.audit.reading import Reading
from caracal_grpc.authority.state.slices import in_slices
from caracal_grpc.interceptors.context.current import current_mandate
from caracal_grpc.ledger.entries.stored import Stored
from caracal_grpc.services import render
from caracal_grpc.services.audit_entries import entry_message
from caracal_grpc.services.audit_query import parse_filter, parse_read
from caracal_grpc.v1 import audit_pb2, audit_service_pb2

Context = grpc.aio.ServicerContext[Any, Any]

_GROUP: Final = 10
"""Entries that are rendered in one go, about a millisecond, before others get their turn."""


class AuditReads:
    """Parses, reads, renders."""

    def __init__(self, audit: Audit, reading: Reading) -> None:
        self._audit = audit
        self._reading = reading

    async def Search(
        self, request: audit_service_pb2.SearchRequest, context: Context
    ) -> audit_service_pb2.SearchResponse:
        """See `AuditService.Search` in the proto."""
        found = await self._audit.search(
            current_mandate(),
            render.zone_name(request.zone),
            parse_filter(request),
            render.page("page_size", request.page_size, 100, 1000),
            request.page_token,
        )
        return audit_service_pb2.SearchResponse(
            entries=await _messages(found.entries),
            next_page_token=found.next_page_token,
        )

    async def Read(
        self, request: audit_service_pb2.ReadRequest, context: Context
    ) -> AsyncIterator[audit_service_pb2.ReadResponse]:
        """See `AuditService.Read` in the proto."""
        zone = render.zone_name(request.query.zone)
        parts = self._reading.read(current_mandate(), zone, parse_read(request))
        async with aclosing(parts):
            async for part in parts:
                yield audit_service_pb2.ReadResponse(
                    entries=await _messages(part.entries),
                    resume_token=part.resume_token,
                    size=part.size,
                )


async def _messages(entries: Sequence[Stored]) -> list[audit_pb2.AuditEntry]:
    groups = (entries[start : start + _GROUP] for start in range(0, len(entries), _GROUP))
    return await in_slices(map(entry_message, group) for group in groups)
