"""The served authority that these tests call."""

from __future__ import annotations

from tests.support.authority import authority, start_authority

__all__ = ["authority", "start_authority"]
