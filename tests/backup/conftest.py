"""Fixtures of the tests of backups."""

from __future__ import annotations

from tests.authority.conftest import clock, rig

__all__ = ["clock", "rig"]
