"""Whatever the metadata holds, the answer is a typed refusal: never INTERNAL, never a handler."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Rule
from caracal_grpc.crypto.system import SystemClock
from caracal_grpc.interceptors.guard.gate import Gate, bearer
from caracal_grpc.interceptors.guard.verifier import Verifier
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.telemetry.refusal_log import log_refusal
from caracal_grpc.interceptors.testing import CannedFeed
from tests.support.keys import RESOURCE, SCOPES, Mint, view_of

RULE = Rule("/caracal.test.Echo/Unary", RESOURCE, SCOPES)
REFUSALS = {
    Reason.MANDATE_MISSING,
    Reason.MANDATE_MALFORMED,
    Reason.MANDATE_SIGNATURE_INVALID,
    Reason.KEY_UNKNOWN,
}


@dataclass
class Bench:
    """A gate without a server: what arrives in metadata goes straight to it."""

    mint: Mint = field(default_factory=Mint)

    def __post_init__(self) -> None:
        view = view_of(self.mint)
        self.gate = Gate(Rules([RULE]), view, Verifier(view, clock=SystemClock()), log_refusal)

    def refusal(self, metadata: tuple[tuple[str, str | bytes], ...]) -> CaracalError:
        """The refusal that the metadata meets."""
        admission = self.gate.read(RULE.method, RULE, metadata)
        with pytest.raises(CaracalError) as caught:
            self.gate.judge(admission, _NoPeer())
        return caught.value


class _NoPeer:
    def auth_context(self) -> dict[str, list[bytes]]:
        return {}


BENCH = Bench()
GOOD = BENCH.mint.token()

keys = st.sampled_from(["authorization", "authorization-bin", "Authorization", "x-caracal", ""])
edits = st.tuples(st.integers(0, len(GOOD) - 1), st.text(max_size=8)).map(
    lambda edit: f"Bearer {GOOD[: edit[0]]}{edit[1]}{GOOD[edit[0] + 1 :]}"
)
values = st.one_of(
    st.text(max_size=200),
    st.binary(max_size=200),
    st.text(max_size=200).map(lambda text: f"Bearer {text}"),
    edits.filter(lambda value: value != f"Bearer {GOOD}"),
)


@given(st.lists(st.tuples(keys, values), max_size=4))
def test_no_metadata_passes_without_a_good_mandate(
    metadata: list[tuple[str, str | bytes]],
) -> None:
    """Every refusal is one of the four for a token that does not read."""
    error = BENCH.refusal(tuple(metadata))
    assert error.reason in REFUSALS
    assert GOOD not in str(error)


@pytest.mark.parametrize(
    "value", ["Bearer é" + "a" * 100, "Bearer " + "a" * 5120, "Bearer \udc80", "Bearer a b c"]
)
def test_a_token_that_is_no_short_ascii_is_malformed(value: str) -> None:
    """Before anything is decoded or hashed."""
    assert BENCH.refusal((("authorization", value),)).reason is Reason.MANDATE_MALFORMED


def test_the_token_is_found_among_other_metadata() -> None:
    """Only the exact key counts."""
    metadata = (("user-agent", "x"), ("authorization", "Bearer abc"), ("authorization-bin", b"y"))
    assert bearer(metadata) == "abc"


def test_trouble_inside_the_guard_is_a_refusal_and_is_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody foresaw denies as UNAVAILABLE, with the cause in the log and not in the text."""
    monkeypatch.setattr(CannedFeed, "age", lambda _: {}["the cause"])
    bench = Bench()
    good = bench.mint.token()
    error = bench.refusal((("authorization", f"Bearer {good}"),))
    assert (error.reason, error.code) == (Reason.AUTHORITY_STALE, "UNAVAILABLE")
    assert "the cause" not in error.message
    assert "the cause" in caplog.text
    assert good not in caplog.text


def test_the_line_of_a_refusal_names_the_grant_and_never_the_token(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One line: reason, method, jti, audit id, request id."""
    bench = Bench()
    mandate = bench.mint.mandate(zone="umbrella")
    token = bench.mint.token(mandate)
    with caplog.at_level("INFO", logger="caracal.guard"):
        admission = bench.gate.read(RULE.method, RULE, (("authorization", f"Bearer {token}"),))
        with pytest.raises(CaracalError) as caught:
            bench.gate.judge(admission, _NoPeer())
        bench.gate.refused(admission, caught.value)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == (
        f"call refused reason=ZONE_MISMATCH method={RULE.method} "
        f"jti={mandate.jti} audit_id={mandate.audit_id} request_id={admission.inbound.request_id}"
    )


def test_a_report_that_fails_changes_no_verdict(caplog: pytest.LogCaptureFixture) -> None:
    """The callback is for watching only."""

    def fail(*_: object) -> None:
        raise ValueError("the watcher fell over")

    view = view_of(BENCH.mint)
    gate = Gate(Rules([RULE]), view, Verifier(view, clock=SystemClock()), fail)
    admission = gate.read(RULE.method, RULE, ())
    assert admission.error is not None
    gate.refused(admission, admission.error)
    assert "the watcher fell over" in caplog.text
