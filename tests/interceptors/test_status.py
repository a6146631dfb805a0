"""A refusal survives the wire: to a status, and back."""

from __future__ import annotations

import math
from urllib.parse import quote

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status as RpcStatus
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.core.errors import CaracalError, FieldViolation, field_invalid
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.status import DETAILS_KEY, PUSHBACK_KEY, from_rpc_error, to_status

_words = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30)
_any_text = st.text(alphabet=st.characters(exclude_categories=[]), max_size=5_000)


class _Refusal(grpc.RpcError):
    """An error as gRPC raises it, with the trailing metadata that a peer sent."""

    def __init__(self, *metadata: tuple[str, str | bytes]) -> None:
        super().__init__()
        self._metadata = metadata

    def trailing_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """What the peer sent."""
        return self._metadata


def _there_and_back(error: CaracalError) -> CaracalError | None:
    return from_rpc_error(_Refusal(*to_status(error).trailing_metadata))


@given(
    reason=st.sampled_from(Reason),
    message=_words,
    metadata=st.dictionaries(st.text("abc_", min_size=1, max_size=10), _words, max_size=3),
    fields=st.lists(st.tuples(_words, _words), max_size=2),
    wait=st.none() | st.integers(0, 86_400_000),
)
def test_every_refusal_comes_back_as_it_was(
    reason: Reason,
    message: str,
    metadata: dict[str, str],
    fields: list[tuple[str, str]],
    wait: int | None,
) -> None:
    """Reason, text, metadata, violations and wait of a refusal of sane size survive the wire."""
    retry_after = None if wait is None else wait / 1000
    violations = [FieldViolation(*pair) for pair in fields]
    error = CaracalError(
        reason, message, metadata=metadata, violations=violations, retry_after=retry_after
    )
    back = _there_and_back(error)
    assert back is not None
    assert (back.reason, back.metadata) == (reason, metadata)
    assert back.violations == error.violations
    assert back.retry_after == (None if retry_after is None else pytest.approx(retry_after))
    assert len(quote(message)) > 768 or back.message == message


@given(
    message=_any_text,
    metadata=st.dictionaries(_any_text, _any_text, max_size=30),
    fields=st.lists(st.tuples(_any_text, _any_text), max_size=30),
    wait=st.none() | st.floats(allow_nan=False),
)
def test_no_refusal_outgrows_the_trailer(
    message: str,
    metadata: dict[str, str],
    fields: list[tuple[str, str]],
    wait: float | None,
) -> None:
    """Whatever the texts, the trailer stays under 4 KiB on the wire and keeps its reason."""
    violations = [FieldViolation(*pair) for pair in fields]
    error = CaracalError(
        Reason.CONFLICT, message, metadata=metadata, violations=violations, retry_after=wait
    )
    status = to_status(error)
    binary = sum(len(v) for _, v in status.trailing_metadata if isinstance(v, bytes))
    wire = len(quote(status.details)) + math.ceil(binary / 3) * 4 + 128
    assert wire < 4096
    back = _there_and_back(error)
    assert back is not None
    assert back.reason is Reason.CONFLICT


@pytest.mark.parametrize("reason", Reason)
def test_code_is_the_one_of_the_table(reason: Reason) -> None:
    """The status code of each reason is the one that the table in core gives it."""
    error = CaracalError(reason, "no")
    status = to_status(error)
    assert status.code.name == error.code
    assert RpcStatus.FromString(status.trailing_metadata[0][1]).code == status.code.value[0]


def test_field_violation_names_its_field() -> None:
    """A bad field travels as a BadRequest."""
    back = _there_and_back(field_invalid("zone", "must be a slug"))
    assert back is not None
    assert back.violations == (FieldViolation("zone", "must be a slug"),)


def test_wait_is_sent_as_pushback_too() -> None:
    """The retries built into gRPC obey the trailer, not the detail; a wait is rounded up."""
    status = to_status(CaracalError(Reason.RATE_LIMITED, "slow down", retry_after=0.0501))
    assert dict(status.trailing_metadata)[PUSHBACK_KEY] == "51"


def test_no_wait_sends_no_pushback() -> None:
    """Without a wait there is no pushback: `0` would mean at once."""
    status = to_status(CaracalError(Reason.POLICY_DENIED, "no"))
    assert [key for key, _ in status.trailing_metadata] == [DETAILS_KEY]


@pytest.mark.parametrize("reason", [Reason.LIMIT_EXCEEDED, Reason.MANDATE_TOO_LARGE])
def test_what_no_waiting_mends_is_not_to_be_repeated(reason: Reason) -> None:
    """A pushback below zero: gRPC's own retries may be set to repeat whatever has this code."""
    status = to_status(CaracalError(reason, "too long"))
    assert status.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert dict(status.trailing_metadata)[PUSHBACK_KEY] == "-1"


def _foreign(domain: str, reason: str) -> bytes:
    status = RpcStatus(code=7, message="no")
    status.details.add().Pack(ErrorInfo(domain=domain, reason=reason))
    return bytes(status.SerializeToString())


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff\xff\xff",
        "text",
        RpcStatus(code=7).SerializeToString(),
        _foreign("googleapis.com", "MANDATE_EXPIRED"),
        _foreign("caracal", "A_REASON_OF_TOMORROW"),
    ],
)
def test_what_is_not_ours_is_no_refusal_of_ours(value: str | bytes) -> None:
    """Broken, foreign or newer details read as none, without an exception."""
    assert from_rpc_error(_Refusal((DETAILS_KEY, value))) is None


def test_bare_error_without_metadata_reads_as_none() -> None:
    """An RpcError that gRPC made itself may carry no metadata at all."""
    assert from_rpc_error(grpc.RpcError()) is None
    assert from_rpc_error(_Refusal()) is None


def test_a_broken_detail_hides_no_other() -> None:
    """A detail whose bytes do not parse is left out; the rest is read."""
    status = RpcStatus.FromString(_foreign("caracal", "CONFLICT"))
    broken = status.details.add()
    broken.type_url = "type.googleapis.com/google.rpc.RetryInfo"
    broken.value = b"\xff\xff"
    back = from_rpc_error(_Refusal((DETAILS_KEY, status.SerializeToString())))
    assert back is not None
    assert back.retry_after is None
