"""What an edge decided about one call: the same at the edge that reports it and in the ledger."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from caracal_grpc.core.entry import MAX_TEXT, plain_text
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.ids import APPLICATION, AUDIT, MANDATE, SESSION, require_id
from caracal_grpc.core.limits import MAX_REQUEST_ID
from caracal_grpc.core.reason import Reason

_IDS: Final = {
    "jti": MANDATE,
    "application_id": APPLICATION,
    "session_id": SESSION,
    "mandate_audit_id": AUDIT,
}
"""What may be empty, and else is an id."""

_END_OF_TIME: Final = 253_402_300_800_000
"""The year 10000, before which every well-formed timestamp is (RFC 3339)."""

_REASONS: Final = frozenset({"", *Reason})


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeDecision:
    """One decision; what each part means is in `audit_service.proto`.

    `time_ms` is in milliseconds since the Unix epoch, by the edge's clock. Without a `reason` the
    call was let in. An edge makes it of what it was shown; `require` is for whoever receives it.
    """

    id: str
    time_ms: int
    method: str
    reason: str = ""
    resource: str = ""
    jti: str = ""
    application_id: str = ""
    subject: str = ""
    session_id: str = ""
    request_id: str = ""
    mandate_audit_id: str = ""

    @property
    def decision(self) -> str:
        """`allow` or `deny`."""
        return "deny" if self.reason else "allow"

    @property
    def size(self) -> int:
        """Bytes of its texts."""
        return sum(len(getattr(self, name).encode()) for name in _TEXTS)

    def require(self, path: str) -> None:
        """Raises `FIELD_INVALID` for the first part that cannot go into an entry, below `path`."""
        require_id(f"{path}.id", self.id, AUDIT)
        if not 0 < self.time_ms < _END_OF_TIME:
            raise field_invalid(f"{path}.time", "must be a time after the Unix epoch")
        if self.reason not in _REASONS:
            raise field_invalid(f"{path}.reason", "must be the name of a reason, or empty")
        for name, prefix in _IDS.items():
            if getattr(self, name):
                require_id(f"{path}.{name}", getattr(self, name), prefix)
        for name in ("method", "resource", "subject"):
            if plain_text(getattr(self, name)) != getattr(self, name):
                text = f"must be at most {MAX_TEXT} characters without controls"
                raise field_invalid(f"{path}.{name}", text)
        if not self.method:
            raise field_invalid(f"{path}.method", "must be the path of the method")
        _require_request_id(f"{path}.request_id", self.request_id)


_TEXTS: Final = tuple(each.name for each in fields(EdgeDecision) if each.name != "time_ms")


def _require_request_id(path: str, value: str) -> None:
    if len(value) > MAX_REQUEST_ID or not (value.isascii() and value.isprintable()):
        raise field_invalid(path, f"must be at most {MAX_REQUEST_ID} printable ASCII characters")
