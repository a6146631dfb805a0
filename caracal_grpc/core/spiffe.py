"""SPIFFE ids, and the patterns of them by which applications are declared.

Form: the SPIFFE-ID standard, sections 2 and 4 (spiffe/spiffe, standards/SPIFFE-ID.md). Ids that are
not in their one form, such as those with upper case in the trust domain, are none.
"""

from __future__ import annotations

import re
from typing import Final

from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.limits import MAX_PATTERN_SEGMENTS, MAX_SPIFFE_ID

ANY: Final = "*"
"""What stands for one whole segment of a path in a pattern."""

_SEGMENT: Final = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]+"
_DOMAIN: Final = r"spiffe://([a-z0-9._-]{1,255})"
_TRUST_DOMAIN: Final = re.compile(_DOMAIN)
_ID: Final = re.compile(rf"{_DOMAIN}((?:/{_SEGMENT})+)")
_PATTERN: Final = re.compile(rf"{_DOMAIN}((?:/(?:\*(?=/|\Z)|{_SEGMENT}))+)")


def is_spiffe_id(value: str) -> bool:
    """Whether `value` is the id of a workload: of a trust domain, with a path."""
    return len(value) <= MAX_SPIFFE_ID and _ID.fullmatch(value) is not None


def is_trust_domain(value: str) -> bool:
    """Whether `value` is the id of a trust domain itself, `spiffe://shop.example`."""
    return _TRUST_DOMAIN.fullmatch(value) is not None


def trust_domain_of(value: str) -> str | None:
    """The id of the trust domain that a workload is of; `None` for what is no workload's id."""
    if not is_spiffe_id(value):
        return None
    return value[: value.index("/", len("spiffe://"))]


def require_pattern(field: str, value: str) -> str:
    """`value` when it is the id of a workload, or a pattern of such ids; raises `FIELD_INVALID`.

    In a pattern `*` stands for whole segments of the path, and never for all of them. A pattern is
    of few segments, so that those that overlap can be told quickly.
    """
    found = _PATTERN.fullmatch(value) if len(value) <= MAX_SPIFFE_ID else None
    if found is None:
        raise field_invalid(
            field,
            f"must be spiffe://, a trust domain in lower case and a path, at most {MAX_SPIFFE_ID} "
            "characters; * stands for one whole segment of the path",
        )
    segments = found[2].split("/")[1:]
    if ANY not in segments:
        return value
    if set(segments) == {ANY}:
        raise field_invalid(field, "must have a segment beside *; name what the workloads share")
    if len(segments) > MAX_PATTERN_SEGMENTS:
        text = f"must have at most {MAX_PATTERN_SEGMENTS} segments when one of them is *"
        raise field_invalid(field, text)
    return value


def matches(pattern: str, value: str) -> bool:
    """Whether a pattern that `require_pattern` passed holds of `value`, which somebody showed."""
    return is_spiffe_id(value) and overlap(pattern, value)


def overlap(one: str, other: str) -> bool:
    """Whether there is an id of which two patterns both hold; an id is a pattern, too."""
    if ANY not in one and ANY not in other:
        return one == other
    first, second = one.split("/"), other.split("/")
    return len(first) == len(second) and all(
        here == there or ANY in {here, there} for here, there in zip(first, second, strict=True)
    )
