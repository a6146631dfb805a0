"""The details of one call of a synchronous channel, which interceptors hand on changed."""

from __future__ import annotations

from typing import Any, NamedTuple

import grpc


class Details(NamedTuple):
    """What `grpc.ClientCallDetails` describes."""

    method: str
    timeout: float | None
    metadata: list[tuple[str, str | bytes]] | None
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None

    @classmethod
    def of(cls, details: Any) -> Details:
        """A copy of `details`; their metadata may be an iterator, and is looked at before it is
        sent.
        """
        return cls(
            details.method,
            details.timeout,
            None if details.metadata is None else list(details.metadata),
            details.credentials,
            details.wait_for_ready,
            details.compression,
        )
