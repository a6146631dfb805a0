"""A served authority, for the tests that take more than one of the testing kit."""

from __future__ import annotations

from tests.support.authority import authority, start_authority

__all__ = ["authority", "start_authority"]
