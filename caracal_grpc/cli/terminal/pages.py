"""Answers that come in pages, read to a limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from caracal_grpc.cli.terminal.view import view


async def read_pages(
    method: Callable[..., Any], request: Any, field: str, limit: int, most: int = 500
) -> list[dict[str, Any]]:
    """At most `limit` of what `field` of the answers holds, as plain values.

    `most` is how many the method gives at once.
    """
    from caracal_grpc.cli.connection import CALL_TIMEOUT

    found: list[dict[str, Any]] = []
    while len(found) < limit:
        request.page_size = min(most, limit - len(found))
        page = await method(request, timeout=CALL_TIMEOUT)
        found.extend(view(each) for each in getattr(page, field))
        request.page_token = page.next_page_token
        if not request.page_token:
            break
    return found
