"""Talking with the authority: its health, a real exchange, its own diagnosis, its clock."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from caracal_grpc.cli.doctor.found import CLIENT, Found, Status, failed, fine, skipped, warning
from caracal_grpc.cli.doctor.patient import Patient, Skew
from caracal_grpc.cli.errors import CliError
from caracal_grpc.core.limits import AUTHORITY_RESOURCE, LEEWAY

_TIMEOUT: Final = 10.0
_SKEW: Final = 2.0
_MUCH_SKEW: Final = 30.0
_SCOPE: Final = "caracal:diagnostics:read"
_STALE: Final = (
    "see its log and its etcd: etcdctl endpoint status, etcdctl alarm list; it may also be draining"
)
_UNTOLD: Final = {
    "PERMISSION_DENIED": f"use the profile of an application with {_SCOPE}, such as an operator's",
    "RESOURCE_EXHAUSTED": "run it again in some seconds",
}
_STATUSES: Final = {"ok": Status.OK, "warning": Status.WARNING, "failed": Status.FAILED}


async def health(patient: Patient) -> Found:
    """Whether the authority says that it serves."""
    import grpc.aio
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    from caracal_grpc.interceptors.client.channel import aio_channel

    try:
        async with aio_channel(patient.profile) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=_TIMEOUT)
    except grpc.aio.AioRpcError as error:
        advice = "see that the address is the authority's; with tls_client_ca_file it wants a "
        advice += "client certificate: set cert_file and key_file in the profile"
        return failed("health", f"no answer: {error.code().name}", advice, reached=False)
    if answer.status == health_pb2.HealthCheckResponse.SERVING:
        return fine("health", "serving")
    return failed("health", "it does not serve: it has lost sight of its etcd", _STALE)


async def credential(patient: Patient) -> Found:
    """Whether the profile is who it says: by a real exchange, which also tells the time."""
    from caracal_grpc.cli.profile.identity import identify_async

    profile = patient.profile
    who = profile.application_name or profile.application_id
    began = patient.clock.now()
    identity = await identify_async(patient.target)
    if identity.issued_at:  # of the second that it names any moment
        moment = identity.issued_at
        patient.skew = Skew(moment - patient.clock.now(), moment + 1 - began)
    if identity.refusal:
        return fine("credential", f"{who} of zone {profile.zone}; {identity.refusal}")
    return fine("credential", f"{who} of zone {profile.zone}, for {identity.seconds} s at a time")


async def diagnosis(patient: Patient) -> Found:
    """What the authority says of itself; its checks become lines of their own."""
    import grpc.aio

    from caracal_grpc.cli.exchange import answer
    from caracal_grpc.cli.terminal.view import view
    from caracal_grpc.interceptors.client.tokens import Ask
    from caracal_grpc.interceptors.status import from_rpc_error

    try:
        own = replace(patient.target, zone=patient.profile.zone)
        granted = await answer(own, Ask(AUTHORITY_RESOURCE, frozenset({_SCOPE})))
        began = patient.clock.now()
        told = await _diagnose(patient, granted.mandate)
        ended = patient.clock.now()
    except grpc.aio.AioRpcError as error:
        refusal = from_rpc_error(error)
        if refusal is None or refusal.code not in _UNTOLD:
            raise
        return skipped(CLIENT, "diagnosis", f"not told: {refusal.reason}", _UNTOLD[refusal.code])
    moment = told.time.seconds + told.time.nanos / 1e9
    patient.skew = Skew(moment - ended, moment - began)
    patient.replica, patient.release = told.replica, told.release
    patient.told = [_told(each) for each in view(told)["checks"]]
    return fine("diagnosis", f"told by {told.replica}, release {told.release}")


async def _diagnose(patient: Patient, mandate: str) -> Any:
    from caracal_grpc.interceptors.client.channel import aio_channel
    from caracal_grpc.v1.diagnostics_service_pb2 import DiagnosticsServiceDiagnoseRequest
    from caracal_grpc.v1.diagnostics_service_pb2_grpc import DiagnosticsServiceStub

    request = DiagnosticsServiceDiagnoseRequest(zone=patient.target.zone)
    metadata = (("authorization", f"Bearer {mandate}"),)
    async with aio_channel(patient.profile) as channel:
        stub: Any = DiagnosticsServiceStub(channel)
        return await stub.Diagnose(request, metadata=metadata, timeout=_TIMEOUT)


def _told(check: dict[str, str]) -> Found:
    status = _STATUSES.get(check["status"], Status.WARNING)
    return Found(check["section"], check["name"], status, check["detail"], check["advice"])


async def clock(patient: Patient) -> Found:
    """How far the clocks are apart, less what the journey of the answer explains."""
    if patient.skew is None:
        return skipped(CLIENT, "clock", "the authority did not tell its time")
    off = patient.skew.certain
    if abs(off) < _SKEW:
        return fine("clock", f"within {_SKEW:g} s of the authority's")
    way = "behind" if off > 0 else "ahead of"
    detail = f"this machine is {abs(off):.1f} s {way} the authority"
    advice = f"let NTP or chrony keep its time: with over {LEEWAY} s a guard here refuses mandates "
    advice += "that are good, or takes some that have expired"
    if abs(off) >= _MUCH_SKEW:
        return failed("clock", detail, advice)
    return warning("clock", detail, advice)


def of_error(name: str, error: CliError) -> Found:
    """What a call means that failed once the authority was reached: its line says what to do."""
    detail, _, advice = str(error).partition("; ")
    return failed(name, detail, advice or "see the log of the authority")
