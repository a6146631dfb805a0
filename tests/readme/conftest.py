"""Fixtures of the README's tests."""

from __future__ import annotations

from tests.examples.conftest import examples

__all__ = ["examples"]
