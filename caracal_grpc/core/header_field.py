"""Header fields that show a credential to an upstream: which names and values can be one."""

from __future__ import annotations

import re
from typing import Final

AUTHORIZATION: Final = "authorization"

_NAME: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,128}")
"""A field name of RFC 9110 section 5.1, as HTTP/2 writes it (RFC 9113 section 8.2)."""
_VALUE: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")
"""A field value of RFC 9110 section 5.5, in ASCII."""

_FRAMING: Final = frozenset(
    {
        "connection",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Fields that say how a request is read and where it goes, never who sends it."""
_TAKEN: Final = ("grpc-", "x-envoy-", "x-forwarded-")
"""How fields begin that gRPC or the gateway set themselves."""
_OURS: Final = "caracal"
"""What is in the name of every field that says who calls, which no guard takes from a caller."""


def name_problem(name: str) -> str:
    """What is wrong with the name of a field that a credential goes in; empty for nothing."""
    if not _NAME.fullmatch(name):
        return "must be a name of a header, in lower case"
    if name in _FRAMING or name.startswith(_TAKEN) or _OURS in name:
        return "is no header for a credential; name the one that the upstream reads"
    return ""


def is_value(text: str) -> bool:
    """Whether `text` can be the value of a field; it is printable ASCII without space around it."""
    return _VALUE.fullmatch(text) is not None
