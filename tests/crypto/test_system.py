"""Ids, times and secrets of the operating system."""

from __future__ import annotations

import hmac
import time

import pytest

from caracal_grpc.core.ids import prefix_of
from caracal_grpc.core.limits import MAX_CREDENTIALS
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.crypto.system import (
    SystemClock,
    SystemIds,
    new_secret,
    secret_digest,
    secret_matches,
)


def test_ids_are_typeids_and_differ() -> None:
    """Each id is well formed and its own."""
    ids: Ids = SystemIds()
    fresh = {ids.new("ses") for _ in range(1_000)}
    assert len(fresh) == 1_000
    assert {prefix_of(value) for value in fresh} == {"ses"}


def test_ids_sort_by_time() -> None:
    """An id of a later millisecond sorts after an earlier one."""
    first = SystemIds().new("ses")
    until = time.time_ns() // 1_000_000 + 1
    while time.time_ns() // 1_000_000 <= until:
        pass
    assert first < SystemIds().new("ses")


def test_clock_is_the_system_clock() -> None:
    """Both times lie between two readings of the standard library."""
    clock: Clock = SystemClock()
    before, ticks = time.time(), time.monotonic()
    now, monotonic = clock.now(), clock.monotonic()
    assert before <= now <= time.time()
    assert ticks <= monotonic <= time.monotonic()


def test_secret_matches_its_digest_only() -> None:
    """A secret matches its own digest; others, an empty one and an absent digest do not."""
    secret = new_secret()
    assert secret_matches(secret, [secret_digest(secret)])
    assert not secret_matches(new_secret(), [secret_digest(secret)])
    assert not secret_matches("", [secret_digest(secret)])
    assert not secret_matches(secret, [])
    assert not secret_matches(secret, [""])
    assert not secret_matches(secret, ["é"])


def test_secret_matches_whichever_of_several_digests() -> None:
    """The first, the last, and any in between; a secret of none of them matches none."""
    secrets = [new_secret() for _ in range(MAX_CREDENTIALS)]
    for count in range(MAX_CREDENTIALS + 1):
        digests = [secret_digest(secret) for secret in secrets[:count]]
        found = [secret_matches(secret, digests) for secret in secrets]
        assert found == [number < count for number in range(MAX_CREDENTIALS)]


def test_every_digest_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many times whether there are none or all, and whichever it is."""
    secret, compared = new_secret(), 0
    compare = hmac.compare_digest

    def counted(one: bytes, other: bytes) -> bool:
        nonlocal compared
        compared += 1
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", counted)
    for digests in ([], [secret_digest(secret)], [secret_digest(new_secret())] * MAX_CREDENTIALS):
        compared = 0
        secret_matches(secret, digests)
        assert compared == MAX_CREDENTIALS


def test_absent_application_matches_nothing() -> None:
    """Not even the text whose digest stands in for the missing one."""
    assert not secret_matches("no secret has this digest stored", [])


def test_odd_secrets_are_only_wrong() -> None:
    """Endless and ill-formed text is compared, not raised."""
    digest = secret_digest(new_secret())
    assert not secret_matches("x" * 1_000_000, [digest])
    assert not secret_matches("\ud800", [digest])


def test_secrets_have_256_bits() -> None:
    """43 characters of base64url."""
    assert len(new_secret()) == 43
    assert new_secret() != new_secret()
