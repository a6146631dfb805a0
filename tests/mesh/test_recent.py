"""What was made of a mandate is for that mandate, and bounded."""

from __future__ import annotations

from dataclasses import replace

from caracal_grpc.interceptors.testing import ThrowawayAuthority
from caracal_grpc.mesh.recent import Recent


def test_it_is_found_for_the_very_mandate() -> None:
    """And not for another one that has its id."""
    recent: Recent[str] = Recent()
    mandate = ThrowawayAuthority().grant(resource="resource://orders")
    recent.put(mandate, "made")
    assert recent.get(mandate) == "made"
    assert recent.get(replace(mandate)) is None


def test_those_not_asked_for_go_first() -> None:
    """However many mandates come."""
    recent: Recent[int] = Recent(2)
    authority = ThrowawayAuthority()
    first, second, third = (authority.grant(resource="resource://orders") for _ in range(3))
    recent.put(first, 1)
    recent.put(second, 2)
    assert recent.get(first) == 1
    recent.put(third, 3)
    assert [recent.get(each) for each in (first, second, third)] == [1, None, 3]
    assert len(recent) == 2
