"""Refusals as a test expects them: by their reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import grpc

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.status import from_rpc_error


class Refused:
    """The refusal of a block, once it came."""

    def __init__(self) -> None:
        self._error: CaracalError | None = None

    @property
    def error(self) -> CaracalError:
        """The refusal; raises `AssertionError` while there is none."""
        if self._error is None:
            raise AssertionError("nothing is refused yet; look when the block is over")
        return self._error

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the refusal tells to programs, such as the scopes that are missing."""
        return self.error.metadata

    @property
    def fields(self) -> list[str]:
        """The fields of the request that are said to be wrong."""
        return [violation.field for violation in self.error.violations]


@contextmanager
def refused(reason: Reason | str) -> Iterator[Refused]:
    """Passes when the block raises the refusal `reason`, from a call or in this process.

    Raises `AssertionError` when it raises another one, one whose status has not the code of its
    reason, or none; what is no refusal at all passes through unless it is the status of a call.
    Raises `ValueError` for a reason that does not exist.

        with refused("SCOPE_INSUFFICIENT") as refusal:
            await orders.Place(request)
        assert refusal.metadata["missing"] == "orders:place"
    """
    expected, seen = Reason(reason), Refused()
    try:
        yield seen
    except (CaracalError, grpc.RpcError) as error:
        found = error if isinstance(error, CaracalError) else refusal_of(error)
        if found.reason is not expected:
            raise AssertionError(f"expected {expected}, but was refused: {found}") from error
        seen._error = found  # noqa: SLF001 - its other half
        return
    raise AssertionError(f"expected {expected}, but nothing was refused")


def refusal_of(error: grpc.RpcError) -> CaracalError:
    """The refusal in the status of a call; raises `AssertionError` when it holds none.

    Or when its code is not that of the reason: retries and meshes go by it.
    """
    found = from_rpc_error(error)
    code: grpc.StatusCode = error.code()
    if found is None:
        raise AssertionError(f"the call failed, but is not refused: {error!r}") from error
    if code.name != found.code:
        raise AssertionError(f"{found.reason} has the code {code}, not {found.code}") from error
    return found
