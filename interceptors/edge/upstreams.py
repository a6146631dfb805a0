"""The credentials of upstreams, which the authority releases to the gateway that this edge is of.

A gateway asks as the application that it is, with a mandate of its own, and shows the mandate of
the request that the credential is for.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any, Final

import grpc

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.client.tokens import FAILURE_PAUSE, ExchangeError
from caracal_grpc.interceptors.sessions.control_aio import AioControl
from caracal_grpc.interceptors.sessions.methods import RELEASE
from caracal_grpc.interceptors.status import from_rpc_error
from caracal_grpc.v1 import upstream_service_pb2

_log: Final = logging.getLogger("caracal.mesh")

_ABOUT_THE_CALLER: Final = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"})
_OURS: Final = frozenset({Reason.AUDIENCE_MISMATCH})
"""The gateway has judged the mandate by its route, which has the credential of another resource."""

_TOLD: Final = frozenset({"RESOURCE_EXHAUSTED", "UNAVAILABLE"})


@dataclass(frozen=True, slots=True)
class Released:
    """A header for the upstream, its name in lower case, and until when it may be used.

    That is in seconds since the Unix epoch, by the clock of the authority.
    """

    name: str
    value: str = field(repr=False)
    expires_at: float
    audit_id: str


class ReleaseError(Exception):
    """No credential. `refusal` is what the request ends with.

    `about_the_mandate` is whether that is for the mandate which was shown: another may do.
    """

    def __init__(self, refusal: CaracalError, *, about_the_mandate: bool) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal
        self.about_the_mandate = about_the_mandate


class AioUpstreams:
    """`UpstreamService.Release` over the connection of an asyncio edge."""

    def __init__(self, control: AioControl, zone: str) -> None:
        self._control = control
        self._zone = zone

    async def release(self, upstream: str, mandate: str, timeout: float) -> Released:
        """The credential of `upstream`, by its name, for a request that came with `mandate`.

        Raises `ReleaseError`, within `timeout` seconds.
        """
        request = upstream_service_pb2.UpstreamServiceReleaseRequest(
            zone=self._zone, upstream=upstream, mandate=mandate
        )
        try:
            response = await self._control.answer(RELEASE, request, timeout)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise _failed(upstream, error) from error  # the channel was closed
        except Exception as error:
            raise _failed(upstream, error) from error
        header, end = response.header, response.expire_time
        return Released(
            header.name.lower(), header.value, end.seconds + end.nanos / 1e9, response.audit_id
        )


def _failed(upstream: str, error: BaseException) -> ReleaseError:
    """What the caller hears: a refusal of its mandate, or that it is too early; else the log does.

    What has an entry in the ledger is of the mandate within the request, not of our own.
    """
    refusal = from_rpc_error(error) if isinstance(error, grpc.RpcError) else None
    if refusal is not None:
        recorded = "audit_id" in refusal.metadata
        if recorded and refusal.code in _ABOUT_THE_CALLER and refusal.reason not in _OURS:
            return ReleaseError(refusal, about_the_mandate=True)
        if refusal.code in _TOLD or refusal.reason is Reason.ZONE_FROZEN:
            return ReleaseError(refusal, about_the_mandate=False)
    _log.error("the credential of %s is not released: %s", upstream, _told(error))
    return ReleaseError(unreleased(), about_the_mandate=False)


def unreleased() -> CaracalError:
    """The refusal of a request whose upstream's credential cannot be had (`AUTHORITY_STALE`)."""
    return CaracalError(
        Reason.AUTHORITY_STALE,
        "the gateway cannot have the upstream's credential now; try again shortly, and if it stays "
        "so look into the gateway's log",
        retry_after=FAILURE_PAUSE,
    )


def _told(error: BaseException) -> str:
    if isinstance(error, grpc.RpcError):
        raised: Any = error
        return f"{raised.code().name}: {raised.details()}"
    return str(error) if isinstance(error, ExchangeError) else repr(error)
