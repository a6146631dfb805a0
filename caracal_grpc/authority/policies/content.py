"""All that a policy is made of, as its author wrote it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from caracal_grpc.policy.bundle import Bundle
from caracal_grpc.policy.grants import grants_data, grants_modules

DECIDING: Final = ("grants", "modules")
"""The parts that decide, and that its version is the digest of; tests only watch over them."""
PIECES: Final = (*DECIDING, "tests")

_ENCODE: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Content:
    """Grants for the built-in module, or `modules` in its place, and modules of tests, by name."""

    grants: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    modules: Mapping[str, str] = field(default_factory=dict, repr=False)
    tests: Mapping[str, str] = field(default_factory=dict, repr=False)

    def bundle(self, version: str = "") -> Bundle:
        """What an engine compiles; raises `FIELD_INVALID` with the path of each bad grant.

        `version` is its own, if it is known. For thousands of grants this takes a good part of a
        second: call it on a thread.
        """
        modules, data = self.modules or grants_modules(), grants_data(self.grants)
        return Bundle.of(modules, data, version or self.version())

    def version(self) -> str:
        """`sha256:` and 16 hex digits over what its author wrote and what decides, and nothing of
        ours: the same policy is the same version in every release.
        """
        return version_of(self.digests())

    def digests(self) -> dict[str, str]:
        """A SHA-256 digest of each of its pieces, by which two are told apart for certain."""
        return {name: _digest(value) for name, value in self.to_value().items()}

    def to_value(self) -> dict[str, Any]:
        """Its pieces as JSON-able values."""
        return {
            "grants": [dict(grant) for grant in self.grants],
            "modules": dict(self.modules),
            "tests": dict(self.tests),
        }


def version_of(digests: Mapping[str, str]) -> str:
    """The version that a content with those `digests` is."""
    return f"sha256:{_digest([digests[piece] for piece in DECIDING])[:16]}"


def _digest(value: object) -> str:
    """That of its JSON, of which thousands of grants are written one by one: on a thread, too,
    others must have their turn.
    """
    if not isinstance(value, list):
        return hashlib.sha256(_encoded(value)).hexdigest()
    digest = hashlib.sha256(b"[")
    for number, each in enumerate(value):
        digest.update(b"," + _encoded(each) if number else _encoded(each))
    digest.update(b"]")
    return digest.hexdigest()


def _encoded(value: object) -> bytes:
    return _ENCODE(value).encode()
