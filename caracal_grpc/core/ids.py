"""TypeIDs: a prefix and a UUIDv7 in base32, so that ids sort by time and say what they name.

Form: TypeID specification 0.3 (jetpack-io/typeid); the UUID is version 7 of RFC 9562 section 5.7.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.limits import MAX_LABEL, MAX_LABELS

SESSION: Final = "ses"
MANDATE: Final = "mnd"
APPLICATION: Final = "app"
KEY: Final = "key"
AUDIT: Final = "aud"
REQUEST: Final = "req"
DELEGATION: Final = "del"
APPROVAL: Final = "apr"
USER: Final = "usr"
FEED: Final = "fed"
REPLICA: Final = "rep"
WAIT: Final = "wai"
CREDENTIAL: Final = "crd"
UPSTREAM: Final = "ups"
HOLD: Final = "hld"

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS: Final = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_SHIFTS: Final = tuple(range(120, -1, -10))
_FORM: Final = re.compile(r"([a-z]{3})_[0-7][0-9a-hjkmnp-tv-z]{25}")
_SLUG: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")
_RESOURCE: Final = re.compile(r"resource://[a-z0-9][a-z0-9._/-]{0,127}")
_PREFIX: Final = r"resource://(?=.{1,64}/[^/]+\Z)[a-z0-9][a-z0-9._-]*(?:/[a-z0-9][a-z0-9._-]*)*/"
_FAMILY: Final = re.compile(_PREFIX + r"\*")
_PART: Final = re.compile(r"(?!\.+\Z)[A-Za-z0-9._~-]{1,128}")
_MEMBER: Final = re.compile(f"({_PREFIX}){_PART.pattern}")
_SCOPE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._/-]{0,127}")


def typeid(prefix: str, unix_ms: int, random: bytes) -> str:
    """The TypeID of a UUIDv7 made of `unix_ms` (48 bits) and ten `random` bytes."""
    stamp = unix_ms.to_bytes(6, "big") + random[:10]
    return typeid_of(prefix, int.from_bytes(stamp, "big"), 7)


def typeid_of(prefix: str, bits: int, version: int) -> str:
    """The TypeID of 128 bits as a UUID of that version."""
    bits = (bits & ~(0xF << 76)) | (version << 76)  # RFC 9562 section 4.2
    bits = (bits & ~(0x3 << 62)) | (0x2 << 62)  # variant, RFC 9562 section 4.1
    return prefix + "_" + "".join([_PAIRS[(bits >> shift) & 1023] for shift in _SHIFTS])


def sibling(prefix: str, value: str) -> str:
    """The TypeID with another prefix and the same UUID as `value`: two names of one event."""
    return prefix + value[3:]


def prefix_of(value: str) -> str | None:
    """The prefix of a well-formed TypeID, or `None` when `value` is not one."""
    match = _FORM.fullmatch(value)
    return match[1] if match else None


def require_id(field: str, value: str, prefix: str) -> str:
    """`value` when it is a TypeID with `prefix`; raises `FIELD_INVALID` otherwise."""
    if prefix_of(value) != prefix:
        raise field_invalid(field, f"must be an id that starts with {prefix}_")
    return value


def require_slug(field: str, value: str) -> str:
    """`value` when it is a slug (zone or application name); raises `FIELD_INVALID` otherwise."""
    if not _SLUG.fullmatch(value):
        raise field_invalid(field, "must be 1 to 63 of a-z, 0-9 and hyphen, starting with a letter")
    return value


def require_resource(field: str, value: str) -> str:
    """`value` when it names one resource; raises `FIELD_INVALID` naming `field` otherwise."""
    if is_family(value):
        raise field_invalid(field, "names a family; name one resource of it, without the *")
    if not (_RESOURCE.fullmatch(value) or _MEMBER.fullmatch(value)):
        raise field_invalid(
            field,
            "must be resource:// and 1 to 128 of a-z, 0-9, dot, slash, hyphen; the part after the "
            "last slash may be 1 to 128 letters, digits, -, _, . or ~",
        )
    return value


def require_resource_or_family(field: str, value: str) -> str:
    """As `require_resource`, but a family of resources will do as well."""
    return value if is_family(value) else require_resource(field, value)


def is_family(value: str) -> bool:
    """Whether `value` names all resources that differ in their last part, `resource://orders/*`."""
    return _FAMILY.fullmatch(value) is not None


def family_of(resource: str) -> str | None:
    """The family that a resource belongs to by its name; `None` for any other name.

    A family belongs to none, and neither does a resource without a part to vary.
    """
    match = _MEMBER.fullmatch(resource)
    return f"{match[1]}*" if match else None


def is_part(value: str) -> bool:
    """Whether `value` can be the part by which the resources of a family differ."""
    return _PART.fullmatch(value) is not None


def require_scope(field: str, value: str) -> str:
    """`value` when it is one scope (a subset of RFC 6749 section 3.3); raises `FIELD_INVALID`."""
    if not _SCOPE.fullmatch(value):
        raise field_invalid(field, "must be 1 to 128 letters, digits, colon, dot, slash or hyphen")
    return value


def require_labels(field: str, labels: Iterable[str]) -> tuple[str, ...]:
    """`labels` when they can be those of a session or a grant; raises `FIELD_INVALID` otherwise."""
    read = tuple(labels)
    fits = all(0 < len(label) <= MAX_LABEL and label.isprintable() for label in read)
    if len(read) > MAX_LABELS or not fits:
        raise field_invalid(
            field, f"must be at most {MAX_LABELS} of 1 to {MAX_LABEL} printable characters"
        )
    return read
