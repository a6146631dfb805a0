"""All that a policy is made of, as its author wrote it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from caracal_grpc.policy.bundle import Bundle
from caracal_grpc.policy.grants import grants_data, grants_modules

DECIDING: Final = ("grants", "modules")
"""The parts that decide, and that its version is the digest of; tests only watch over them."""
PIECES: Final = (*DECIDING, "tests")


@dataclass(frozen=True, slots=True)
class Content:
    """Grants for the built-in module, or `modules` in its place, and modules of tests, by name."""

    grants: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    modules: Mapping[str, str] = field(default_factory=dict, repr=False)
    tests: Mapping[str, str] = field(default_factory=dict, repr=False)

    def bundle(self) -> Bundle:
        """What an engine compiles; raises `FIELD_INVALID` with the path of each bad grant.

        For thousands of grants this takes a good part of a second: call it on a thread.
        """
        bundle = Bundle.of(self.modules or grants_modules(), grants_data(self.grants))
        return replace(bundle, version=self.version())

    def version(self) -> str:
        """`sha256:` and 16 hex digits over what its author wrote and what decides, and nothing of
        ours: the same policy is the same version in every release.
        """
        digests = self.digests()
        return f"sha256:{_digest([digests[piece] for piece in DECIDING])[:16]}"

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


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
