"""A version of a policy: what the store knows of it beside its content."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from caracal_grpc.authority.policies.content import DECIDING
from caracal_grpc.core.errors import field_invalid

_FORM: Final = re.compile(r"sha256:[0-9a-f]{16}")
_LAST: Final = 10**14 - 1


@dataclass(frozen=True, slots=True)
class Version:
    """The head of a version. `id` names its content, which lies in `parts` records of their own.

    It counts once it is `complete`: while its parts are written it is nobody's to use. `digests`
    are those of `Content.digests`.
    """

    id: str
    created_at: float
    created_by: str
    description: str
    grants: int
    modules: tuple[str, ...]
    digests: Mapping[str, str]
    parts: int
    complete: bool = False

    def to_value(self) -> dict[str, Any]:
        """The JSON form for the store."""
        return asdict(self)

    @staticmethod
    def from_value(value: Mapping[str, Any]) -> Version:
        """The version that `to_value` wrote."""
        read = {name: value[name] for name in Version.__slots__}
        return Version(**{**read, "modules": tuple(value["modules"])})

    def decides_as(self, digests: Mapping[str, str]) -> bool:
        """Whether it decides by the same content, whatever tests watch over it."""
        return not self.differing(digests)

    def differing(self, digests: Mapping[str, str]) -> tuple[str, ...]:
        """The names of the deciding pieces in which it differs from a content with `digests`."""
        return tuple(name for name in DECIDING if self.digests[name] != digests[name])


def require_version(field: str, value: str) -> str:
    """`value` when it can name a version; raises `FIELD_INVALID` otherwise."""
    if not _FORM.fullmatch(value):
        raise field_invalid(field, "must be the name of a version, sha256: and 16 hex digits")
    return value


def order(version: Version) -> str:
    """By what versions are listed: the newest first."""
    return f"{_LAST - int(version.created_at * 1000):014} {version.id}"
