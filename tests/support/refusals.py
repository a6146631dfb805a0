"""What a test expects to be refused, whether raised in process or answered by a server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
import grpc.aio

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import CODE_OF, Reason
from caracal_grpc.interceptors.status import from_rpc_error


@dataclass
class Refused:
    """The refusal, once it came."""

    error: CaracalError | None = None

    @property
    def metadata(self) -> dict[str, str]:
        """What programs read."""
        assert self.error is not None
        return self.error.metadata

    @property
    def fields(self) -> list[str]:
        """The fields that are said to be wrong."""
        assert self.error is not None
        return [violation.field for violation in self.error.violations]


@contextmanager
def refused(reason: Reason) -> Iterator[Refused]:
    """Passes when the block is refused for `reason`, with the code that the table gives it."""
    seen = Refused()
    try:
        yield seen
    except CaracalError as error:
        seen.error = error
    except grpc.aio.AioRpcError as error:
        seen.error = from_rpc_error(error)
        assert seen.error is not None, f"an untyped refusal: {error!r}"
        assert error.code() is grpc.StatusCode[CODE_OF[seen.error.reason]]
    assert seen.error is not None, f"expected {reason}, but nothing was refused"
    assert seen.error.reason is reason, seen.error
