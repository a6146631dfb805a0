"""What the W3C documents let a call carry from hop to hop, read strictly and within bounds.

Each reader takes every value that a call has under one name, and answers with the one to carry on,
or `None` for what is absent or malformed: a broken trace is no reason to fail a call.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote_plus

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"
BAGGAGE: Final = "baggage"

MAX_TRACESTATE: Final = 512
"""Characters (Trace Context section 3.3.1.5)."""

MAX_TRACESTATE_MEMBERS: Final = 32
"""Trace Context section 3.3.1.1."""

MAX_BAGGAGE: Final = 8192
"""Bytes (Baggage section 3.3.2)."""

MAX_BAGGAGE_MEMBERS: Final = 64
"""Baggage section 3.3.2."""

_BLANKS: Final = " \t"
_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})(-.*)?")
_TRACESTATE_MEMBER: Final = re.compile(
    r"([a-z0-9][a-z0-9_\-*/@]{0,255})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_NAME: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_VALUE: Final = r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*"
_PAIR: Final = re.compile(rf"({_NAME})[ \t]*=[ \t]*{_VALUE}")
_PROPERTY: Final = re.compile(rf"{_NAME}(?:[ \t]*=[ \t]*{_VALUE})?")


def read_traceparent(values: Sequence[str]) -> str | None:
    """The trace and the span that called (Trace Context section 3.2), in the form of version 00.

    A later version begins like this one and may go on, so that it can be carried as this one.
    """
    match = _TRACEPARENT.fullmatch(values[0]) if len(values) == 1 else None
    if match is None:
        return None
    version, rest, more = match.groups()
    trace, span, flags = rest.split("-")
    if version == "ff" or (version == "00" and more) or not trace.strip("0") or not span.strip("0"):
        return None
    return f"00-{trace}-{span}-{flags}"


def read_tracestate(values: Sequence[str]) -> str | None:
    """What tracing systems noted of the trace (Trace Context section 3.3).

    It means nothing without a `traceparent`.
    """
    if sum(map(len, values)) + len(values) > MAX_TRACESTATE + 1:
        return None
    split = (member.strip(_BLANKS) for value in values for member in value.split(","))
    members = [member for member in split if member]
    matches = [_TRACESTATE_MEMBER.fullmatch(member) for member in members]
    keys = {match[1] for match in matches if match is not None}
    # As many keys as members: each is well-formed, and no key comes twice.
    whole = 0 < len(members) <= MAX_TRACESTATE_MEMBERS and len(keys) == len(members)
    return ",".join(members) if whole else None


def read_baggage(values: Sequence[str]) -> str | None:
    """What the application attached (Baggage section 3.3), without the members named `caracal`.

    Nobody's word for who calls is in there: that is what a mandate is for.
    """
    if sum(map(len, values)) + len(values) > MAX_BAGGAGE + 1:
        return None
    members = [member.strip(_BLANKS) for value in values for member in value.split(",")]
    if len(members) > MAX_BAGGAGE_MEMBERS:
        return None
    names = [_name_of(member) for member in members]
    if None in names:
        return None
    pairs = zip(names, members, strict=True)
    return ",".join(member for name, member in pairs if name and not is_ours(name)) or None


def claims_identity(value: str) -> bool:
    """Whether baggage might hold a member named `caracal`, however it is written."""
    return "caracal" in unquote_plus(value).lower()


def is_ours(name: str) -> bool:
    """Whether a member of baggage, its name decoded, is one of `caracal`."""
    name = name.strip().lower()
    return name == "caracal" or name.startswith("caracal.")


def _name_of(member: str) -> str | None:
    """The name of one member of baggage as its readers see it; `None` when it is malformed."""
    pair, *properties = (part.strip(_BLANKS) for part in member.split(";"))
    match = _PAIR.fullmatch(pair)
    if match is None or not all(map(_PROPERTY.fullmatch, properties)):
        return None
    return unquote_plus(match[1])
