"""The verifier: what it remembers, what it never does, and how it holds between threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Rule
from caracal_grpc.crypto import jws
from caracal_grpc.crypto.key_set import KeySet
from caracal_grpc.crypto.signing_key import SigningKey
from caracal_grpc.interceptors.guard.cache import ReadingCache
from caracal_grpc.interceptors.guard.verifier import Verifier
from caracal_grpc.interceptors.testing import CannedFeed
from tests.support.clock import FakeClock
from tests.support.keys import ISSUER, RESOURCE, SCOPES, Mint, view_of

RULE = Rule("/caracal.test.Echo/Unary", RESOURCE, SCOPES)
NOW = 1_790_000_000
TIMES = {"issued_at": NOW - 10, "expires_at": NOW + 290}


def verifier(view: CannedFeed, **options: Any) -> Verifier:
    """A verifier at a fixed time."""
    return Verifier(view, **({"clock": FakeClock()} | options))


def reason(check: Verifier, token: str, rule: Rule = RULE) -> Reason:
    """Why `check` refuses `token`."""
    with pytest.raises(CaracalError) as caught:
        check.verify(token, rule)
    return caught.value.reason


def test_a_signature_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time, the token is known; the verdict is given again."""
    mint = Mint()
    checked: list[str] = []
    real = jws.verify

    def counting(token: str, keys: KeySet) -> dict[str, Any]:
        checked.append(token)
        return real(token, keys)

    monkeypatch.setattr(jws, "verify", counting)
    check, token = verifier(view_of(mint)), mint.token(**TIMES)
    assert check.verify(token, RULE) == check.verify(token, RULE)
    assert checked == [token]


def test_a_refusal_is_not_remembered() -> None:
    """A token that came before its key is served once the key is there."""
    mint = Mint()
    view = view_of(mint)
    view.forget_key()
    check, token = verifier(view), mint.token(**TIMES)
    assert reason(check, token) is Reason.KEY_UNKNOWN
    view.learn_key(mint.authority)
    check.verify(token, RULE)


def test_a_key_that_was_replaced_under_its_name_proves_nothing_more() -> None:
    """Neither for a remembered token nor, all the more, for one that is read anew."""
    mint, other = Mint(), Mint()
    view = view_of(mint)
    check, token = verifier(view), mint.token(**TIMES)
    check.verify(token, RULE)
    other.authority._key = SigningKey.generate(mint.key.kid)
    view.learn_key(other.authority)
    assert reason(check, token) is Reason.KEY_UNKNOWN
    assert reason(verifier(view), token) is Reason.MANDATE_SIGNATURE_INVALID


def test_a_key_that_vanishes_between_reading_and_verdict_is_unknown() -> None:
    """However long the caller keeps its message back."""
    mint = Mint()
    view = view_of(mint)
    check = verifier(view)
    reading = check.read(mint.token(**TIMES))
    view.forget_key(mint.key.kid)
    with pytest.raises(CaracalError) as caught:
        check.judge(reading, RULE)
    assert caught.value.reason is Reason.KEY_UNKNOWN


def test_the_memory_is_bounded_and_lets_go_of_the_least_used() -> None:
    """One more token than fits never grows it."""
    mint = Mint()
    check = verifier(view_of(mint), cache=ReadingCache(3))
    for _ in range(20):
        check.verify(mint.token(**TIMES), RULE)
    assert check.remembered == 3


def test_an_expired_mandate_is_forgotten() -> None:
    """By its next use, or by the tokens that come after it."""
    mint, clock = Mint(), FakeClock()
    check = verifier(view_of(mint), clock=clock)
    token = mint.token(**TIMES)
    check.verify(token, RULE)
    clock.advance(400)
    assert reason(check, token) is Reason.MANDATE_EXPIRED
    later = {"issued_at": NOW + 390, "expires_at": NOW + 600}
    check.verify(mint.token(**later), RULE)
    check.verify(mint.token(**later), RULE)
    assert check.remembered == 2


def test_the_authority_takes_sessions_addressed_to_its_issuer() -> None:
    """And no mandate for a resource, whatever its scopes."""
    mint = Mint()
    check = verifier(view_of(mint), use="session")
    session = {"use": "session", "resource": ISSUER, **TIMES}
    assert check.verify(mint.token(**session), RULE).use == "session"
    assert reason(check, mint.token(**TIMES)) is Reason.USE_MISMATCH


def test_the_zone_comes_from_the_key_and_never_from_the_token() -> None:
    """A key without a zone proves nothing."""
    mint = Mint()
    view = view_of(mint)
    view._trusts.clear()
    assert reason(verifier(view), mint.token(**TIMES)) is Reason.KEY_UNKNOWN


def test_a_stale_view_refuses_before_it_reads() -> None:
    """Even what is remembered, and garbage too."""
    mint = Mint()
    view = view_of(mint)
    check, token = verifier(view), mint.token(**TIMES)
    check.verify(token, RULE)
    view.go_stale()
    assert not check.fresh
    assert reason(check, token) is Reason.AUTHORITY_STALE
    assert reason(check, "garbage") is Reason.AUTHORITY_STALE


def test_a_binding_is_compared_with_the_certificate_of_the_call() -> None:
    """The right thumbprint passes; another one, and none, do not."""
    mint = Mint()
    check, token = verifier(view_of(mint)), mint.token(binding="B" * 43, **TIMES)
    check.verify(token, RULE, "B" * 43)
    for presented in ("C" * 43, None):
        with pytest.raises(CaracalError) as caught:
            check.verify(token, RULE, presented)
        assert caught.value.reason is Reason.BINDING_MISMATCH


def test_many_threads_share_one_verifier() -> None:
    """Verdicts stay right while the memory overflows and anchors die."""
    mint = Mint()
    view = view_of(mint)
    check = verifier(view, cache=ReadingCache(8))
    tokens = [mint.token(**TIMES) for _ in range(32)]
    doomed = mint.mandate(**TIMES)
    dead = mint.token(doomed)
    begun = threading.Event()

    def work(index: int) -> int:
        begun.set()
        for turn in range(100):
            check.verify(tokens[(index + turn) % len(tokens)], RULE)
        return check.remembered

    with ThreadPoolExecutor(8) as pool:
        runs = [pool.submit(work, index) for index in range(8)]
        begun.wait()
        view.revoke(doomed.jti)
        assert reason(check, dead) is Reason.MANDATE_REVOKED
        assert max(run.result() for run in runs) <= 8
