"""Where a search goes on, as the token between two of its pages."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.ledger.port import Filter

MAX_TOKEN: Final = 8_192
"""Characters: the longest text of a field fits, escaped."""

MAX_INDEX: Final = 2**63 - 1

Value = str | int | None
"""What an entry has in the field that a search is ordered by."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a search is: its entries have `start` <= index < `end`, and the last that was given has
    `index` and `value`. Before the first page `index` is -1.
    """

    start: int
    end: int
    index: int = -1
    value: Value = None

    @property
    def begun(self) -> bool:
        """Whether there was a page before."""
        return self.index >= 0


def page_token(zone: str, query: Filter, place: Place) -> str:
    """The token for `place`, good for the same question only."""
    parts = [_digest(zone, query), place.start, place.end, place.index, place.value]
    return urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode()


def parse_page_token(zone: str, query: Filter, token: str) -> Place:
    """The place that a token tells; raises `FIELD_INVALID` unless it is one of this question.

    It is no secret and not signed: another place in the same question shows nothing more.
    """
    refusal: CaracalError = field_invalid("page_token", "must be the token of this same search")
    try:
        parts = json.loads(urlsafe_b64decode(token.encode())) if len(token) <= MAX_TOKEN else None
    except (ValueError, RecursionError) as exc:
        raise refusal from exc
    if not isinstance(parts, list) or len(parts) != 5 or parts[0] != _digest(zone, query):
        raise refusal
    _, start, end, index, value = parts
    if not all(map(_is_index, (start, end, index))) or not _fits(query, value):
        raise refusal
    return Place(start, end, index, value)


def _is_index(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_INDEX


def _fits(query: Filter, value: Any) -> bool:
    """Whether it is a value of the field that the search is ordered by, or none."""
    if query.order_by == "time":
        return type(value) is int and abs(value) <= MAX_INDEX
    return value is None or (isinstance(value, str) and query.order_by != "index")


def _digest(zone: str, query: Filter) -> str:
    return sha256(repr((zone, query)).encode()).hexdigest()[:16]
