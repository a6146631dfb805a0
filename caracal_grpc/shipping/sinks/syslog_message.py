"""A syslog message (RFC 5424), framed by its count of octets (RFC 5425 section 4.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from caracal_grpc.shipping.formats.plain import rfc3339
from caracal_grpc.shipping.record import Record
from caracal_grpc.v1.audit_pb2 import AUDIT_DECISION_DENY

_BOM: Final = b"\xef\xbb\xbf"
"""What UTF-8 text begins with here (RFC 5424 section 6.4)."""
_WARNING: Final = 4
_INFORMATIONAL: Final = 6
_MAX_MESSAGE_ID: Final = 32
_NIL: Final = "-"
_ESCAPED: Final = str.maketrans({'"': '\\"', "\\": "\\\\", "]": "\\]"})


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of every message says; `enterprise` is a private enterprise number."""

    facility: int
    hostname: str
    app_name: str
    enterprise: int

    def message(self, record: Record, text: bytes) -> bytes:
        """The message of `record`, whose text is `text` in UTF-8.

        A refusal is a warning, anything else informational. The time is that of the entry, and the
        structured data holds what stays the same when it is sent again.
        """
        severity = _WARNING if record.entry.decision == AUDIT_DECISION_DENY else _INFORMATIONAL
        head = " ".join(
            (
                f"<{self.facility * 8 + severity}>1",
                rfc3339(record.time_ms) if record.time_ms else _NIL,
                self.hostname,
                self.app_name,
                _NIL,
                _message_id(record.entry.type),
                self._structured_data(record),
            )
        )
        return head.encode("ascii") + b" " + _BOM + text

    def _structured_data(self, record: Record) -> str:
        values = {"zone": record.zone, "index": str(record.index), "id": record.id}
        said = "".join(f' {name}="{escaped(value)}"' for name, value in values.items() if value)
        return f"[caracal@{self.enterprise}{said}]"


def framed(message: bytes) -> bytes:
    """The message with its length in octets before it."""
    return b"%d %b" % (len(message), message)


def escaped(value: str) -> str:
    """The value of a parameter of structured data (RFC 5424 section 6.3.3)."""
    return value.translate(_ESCAPED)


def _message_id(kind: str) -> str:
    """The type of the entry as a MSGID: printable ASCII, and not longer than that is."""
    cut = kind[:_MAX_MESSAGE_ID]
    return cut if cut and all("!" <= each <= "~" for each in cut) else _NIL
