"""What `refused` lets pass, and what it fails."""

from __future__ import annotations

import grpc
import grpc.aio
import pytest

from caracal_grpc.core.errors import CaracalError, FieldViolation
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors import testing
from caracal_grpc.interceptors.status import to_status
from caracal_grpc.interceptors.testing import refused

DENIED = CaracalError(Reason.POLICY_DENIED, "no", metadata={"missing": "orders:place"})


def answer(error: CaracalError, code: grpc.StatusCode | None = None) -> grpc.aio.AioRpcError:
    """The status that a caller gets of `error`."""
    status = to_status(error)
    trailing = grpc.aio.Metadata(*status.trailing_metadata)
    return grpc.aio.AioRpcError(code or status.code, grpc.aio.Metadata(), trailing, status.details)


@pytest.mark.parametrize("reason", ["POLICY_DENIED", Reason.POLICY_DENIED])
@pytest.mark.parametrize("error", [DENIED, answer(DENIED)], ids=["in process", "by a call"])
def test_the_expected_refusal_passes_and_can_be_read(error: Exception, reason: str) -> None:
    """By the name of its reason, wherever it was raised."""
    with refused(reason) as refusal:
        raise error
    assert refusal.error.reason is Reason.POLICY_DENIED
    assert refusal.metadata == {"missing": "orders:place"}
    assert refusal.fields == []


def test_the_fields_of_a_bad_request_can_be_read() -> None:
    """By their paths."""
    violation = FieldViolation("order.product", "must be set")
    error = CaracalError(Reason.FIELD_INVALID, "bad", violations=[violation])
    with refused("FIELD_INVALID") as refusal:
        raise answer(error)
    assert refusal.fields == ["order.product"]


def test_an_answer_is_a_failure() -> None:
    """The call should have been refused."""
    text = "expected POLICY_DENIED, but nothing was refused"
    with pytest.raises(AssertionError, match=text), refused("POLICY_DENIED"):
        pass


def test_another_refusal_is_a_failure_that_says_which() -> None:
    """With the one that came as its cause."""
    text = "was refused: POLICY_DENIED: no"
    with pytest.raises(AssertionError, match=text) as caught, refused("MANDATE_REVOKED"):
        raise DENIED
    assert caught.value.__cause__ is DENIED


def test_a_status_without_a_reason_is_a_failure() -> None:
    """Such as that of a server that is not there."""
    gone = grpc.aio.AioRpcError(
        grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), "gone"
    )
    with pytest.raises(AssertionError, match="is not refused"), refused("AUTHORITY_STALE"):
        raise gone


def test_a_code_that_is_not_that_of_the_reason_is_a_failure() -> None:
    """Retries go by the code."""
    with (
        pytest.raises(AssertionError, match="POLICY_DENIED has the code"),
        refused("POLICY_DENIED"),
    ):
        raise answer(DENIED, grpc.StatusCode.UNAVAILABLE)


def test_what_is_no_refusal_passes_through() -> None:
    """It is the test's own trouble."""
    with pytest.raises(ZeroDivisionError), refused("POLICY_DENIED"):
        raise ZeroDivisionError


def test_a_reason_that_does_not_exist_is_an_error() -> None:
    """A slip of the pen is not taken for a refusal that never came."""
    with pytest.raises(ValueError, match="SCOPE_MISSING"), refused("SCOPE_MISSING"):
        raise DENIED


def test_nothing_can_be_read_before_the_block_is_over() -> None:
    """There is no refusal yet."""
    with (
        pytest.raises(AssertionError, match="nothing is refused yet"),
        refused("POLICY_DENIED") as refusal,
    ):
        refusal.metadata  # noqa: B018


def test_no_name_of_the_kit_looks_like_a_test() -> None:
    """pytest would collect it in the module that imports it."""
    assert [name for name in testing.__all__ if name.lower().startswith("test")] == []
