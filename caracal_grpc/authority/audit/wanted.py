"""What a reader of the ledger wants, and the token by which it goes on."""

from __future__ import annotations

from dataclasses import dataclass, replace

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.ledger.entries.page_token import Place, page_token, parse_page_token
from caracal_grpc.ledger.port import EVERYTHING, Filter


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader wants; see `ReadRequest` in the proto. `end` is 0 when there is none."""

    query: Filter = EVERYTHING
    follow: bool = False
    include_pruned: bool = False
    start: int = 0
    end: int = 0
    resume_token: str = ""

    def require(self) -> None:
        """Raises `FIELD_INVALID` for the first part that is out of place."""
        if self.start < 0:
            raise field_invalid("start_index", "must be an index")
        if self.end and (self.follow or self.end <= self.start):
            raise field_invalid("end_index", "must be above start_index, and unset with follow")
        if self.include_pruned and self.query != EVERYTHING:
            text = "must be unset with a filter, for nothing is known of what was pruned"
            raise field_invalid("include_pruned", text)

    def begin(self, zone: str) -> int:
        """The index to begin at; raises `FIELD_INVALID` for a token of another read."""
        if not self.resume_token:
            return self.start
        try:
            place = parse_page_token(_of_read(zone), self._ranged(), self.resume_token)
        except CaracalError:
            text = "must be the resume_token of this same read"
            raise field_invalid("query.page_token", text) from None
        return place.start

    def token(self, zone: str, at: int) -> str:
        """The token to go on at an index."""
        return page_token(_of_read(zone), self._ranged(), Place(at, at, 0))

    def _ranged(self) -> Filter:
        return replace(self.query, start=self.start, end=self.end or None)


def _of_read(zone: str) -> str:
    """What tells the token of a read from that of a search."""
    return f"{zone} read"
