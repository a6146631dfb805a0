"""Who a profile is to its authority: found out by a real exchange for the authority itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from caracal_grpc.cli.context import Target
from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.core.limits import AUTHORITY_RESOURCE
from caracal_grpc.core.reason import Reason

if TYPE_CHECKING:
    import grpc.aio

    from caracal_grpc.core.errors import CaracalError
    from caracal_grpc.interceptors.profile import Profile

_KNOWN: Final = frozenset(
    {
        Reason.CEILING_EXCEEDED,
        Reason.NO_ACTIVE_POLICY,
        Reason.POLICY_DENIED,
        Reason.SCOPE_INSUFFICIENT,
        Reason.STEP_UP_REQUIRED,
    }
)
"""Refusals of who has proven to be the application: policy comes after the credential."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What the authority said: `refusal` is why it grants nothing of its own, if so.

    `issued_at` is its clock at the exchange, in whole Unix seconds; 0 when it granted nothing.
    """

    scopes: tuple[str, ...]
    seconds: int
    audit_id: str
    refusal: str = ""
    issued_at: int = 0


def identify(target: Target) -> Identity:
    """Makes a real exchange as the profile; raises `CliError` when the credential is no good.

    The same when the profile names another issuer than the authority has for the zone: its edges
    would refuse every mandate.
    """
    from caracal_grpc.cli.connection import run

    return run(target, identify_async(target))


def issuer_of(target: Target) -> str:
    """The issuer of the zone, as the authority says; raises `CliError`."""
    from caracal_grpc.cli.connection import run

    return run(target, _ask_issuer(target.profile))


async def identify_async(target: Target) -> Identity:
    """As `identify`, on the running loop; a failed call is a `grpc.RpcError`."""
    import grpc.aio

    from caracal_grpc.interceptors.client.channel import aio_channel
    from caracal_grpc.interceptors.status import from_rpc_error

    async with aio_channel(target.profile) as channel:
        issuer = await _issuer(channel, target.profile.zone)
        if issuer != target.profile.issuer:
            text = f"the issuer of zone {target.profile.zone} is {issuer}"
            raise CliError(
                ExitCode.CREDENTIAL,
                f"{text}, and the profile says {target.profile.issuer}; log in anew, or use a "
                "profile of this authority",
            )
        try:
            response = await _exchange(channel, target.profile)
        except grpc.aio.AioRpcError as error:
            refusal = from_rpc_error(error)
            if refusal is None or refusal.reason not in _KNOWN:
                raise
            return _refused(refusal)
    return Identity(
        tuple(response.scopes),
        int(response.expires_in.seconds),
        str(response.audit_id),
        issued_at=_issued_at(response.mandate),
    )


def _issued_at(mandate: str) -> int:
    """What the mandate says; nobody relies on it, so nothing is verified."""
    from caracal_grpc.crypto import base64url
    from caracal_grpc.crypto.strict_json import read_object

    try:
        return int(read_object(base64url.decode(mandate.split(".")[1]))["iat"])
    except (ValueError, LookupError, TypeError):
        return 0


def _refused(refusal: CaracalError) -> Identity:
    said = f"{refusal.message} ({refusal.reason})"
    return Identity((), 0, refusal.metadata.get("audit_id", ""), said)


async def _exchange(channel: grpc.aio.Channel, profile: Profile) -> Any:
    from caracal_grpc.cli.connection import CALL_TIMEOUT
    from caracal_grpc.interceptors.client.exchange import exchange_request
    from caracal_grpc.interceptors.client.tokens import Ask
    from caracal_grpc.v1.token_service_pb2_grpc import TokenServiceStub

    stub: Any = TokenServiceStub(channel)
    request = exchange_request(profile, Ask(AUTHORITY_RESOURCE, frozenset()))
    return await stub.Exchange(request, timeout=CALL_TIMEOUT)


async def _ask_issuer(profile: Profile) -> str:
    from caracal_grpc.interceptors.client.channel import aio_channel

    async with aio_channel(profile) as channel:
        return await _issuer(channel, profile.zone)


async def _issuer(channel: grpc.aio.Channel, zone: str) -> str:
    from caracal_grpc.cli.connection import CALL_TIMEOUT
    from caracal_grpc.v1.key_service_pb2 import GetKeySetRequest
    from caracal_grpc.v1.key_service_pb2_grpc import KeyServiceStub

    stub: Any = KeyServiceStub(channel)
    answer = await stub.GetKeySet(GetKeySetRequest(zone=zone), timeout=CALL_TIMEOUT)
    return str(answer.key_set.issuer)
