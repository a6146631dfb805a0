"""Serving: TLS, mutual TLS, health, reflection."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.client.channel import aio_channel
from caracal_grpc.services.register import SERVICES
from tests.support.authority import Client, Starter
from tests.support.etcd_tls import CertificateAuthority
from tests.support.refusals import refused
from tests.support.shop import ORDERS, shop
from tests.support.tls import write_tls

NAMES = ["", *(service.full_name for service in SERVICES)]


async def test_tls(start_authority: Starter, etcd_ca: CertificateAuthority, tmp_path: Path) -> None:
    """The profile of the first start knows the CA; a stranger's CA and plain text do not get in."""
    files = write_tls(tmp_path, etcd_ca, "authority")
    authority = await start_authority(
        tls_cert_file=files.certificate, tls_key_file=files.key, tls_ca_file=files.ca
    )
    assert not authority.profile.plaintext
    await authority.apply(shop())
    assert (await authority.exchange("agent", ORDERS)).mandate
    stranger = CertificateAuthority().pem
    for channel in (
        grpc.aio.secure_channel(authority.address, grpc.ssl_channel_credentials(stranger)),
        grpc.aio.insecure_channel(authority.address),
    ):
        async with channel:
            stub = health_pb2_grpc.HealthStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.Check(health_pb2.HealthCheckRequest(), timeout=5)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_mutual_tls(
    start_authority: Starter, etcd_ca: CertificateAuthority, tmp_path: Path
) -> None:
    """With a client CA nobody gets in without a certificate of it."""
    ours, theirs = (write_tls(tmp_path, etcd_ca, name) for name in ("authority", "agent"))
    authority = await start_authority(
        tls_cert_file=ours.certificate,
        tls_key_file=ours.key,
        tls_ca_file=ours.ca,
        tls_client_ca_file=ours.ca,
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await authority.exchange("operator", "resource://caracal", zone="caracal")
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    profile = replace(
        authority.profile, cert_file=str(theirs.certificate), key_file=str(theirs.key)
    )
    async with aio_channel(profile) as channel:
        caller = Client(profile, channel)
        await caller.apply(shop())
        assert (await caller.exchange("agent", ORDERS)).mandate


async def test_health_is_known_by_service(start_authority: Starter) -> None:
    """SERVING for the whole and for each service, for anyone to ask."""
    authority = await start_authority()
    stub = health_pb2_grpc.HealthStub(authority.channel)
    await asyncio.sleep(0.05)
    for name in NAMES:
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING, name
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Check(health_pb2.HealthCheckRequest(service="nobody"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_health_watch_sees_the_end(start_authority: Starter) -> None:
    """NOT_SERVING before the server goes, and an open watch does not hold it up."""
    authority = await start_authority(drain_seconds=60)
    watch = health_pb2_grpc.HealthStub(authority.channel).Watch(health_pb2.HealthCheckRequest())
    states = [(await watch.read()).status]
    async with asyncio.timeout(10):
        await authority.server.stop()
        with contextlib.suppress(grpc.aio.AioRpcError):
            while (message := await watch.read()) is not grpc.aio.EOF:
                states.append(message.status)
    assert states[0] == health_pb2.HealthCheckResponse.SERVING
    assert states[-1] == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_health_follows_the_store(start_authority: Starter) -> None:
    """NOT_SERVING while decisions are refused, SERVING again by itself."""
    authority = await start_authority(max_staleness=2)
    found = authority.server._authority
    assert found is not None
    watch = health_pb2_grpc.HealthStub(authority.channel).Watch(health_pb2.HealthCheckRequest())
    async with asyncio.timeout(20):
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        await found.state._mirror.close()
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        await found.state._mirror.start()
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    watch.cancel()


async def reflected(authority: Client) -> set[str]:
    """The services that reflection lists."""
    stub = reflection_pb2_grpc.ServerReflectionStub(authority.channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    call = stub.ServerReflectionInfo(iter([request]))
    async for answer in call:
        return {service.name for service in answer.list_services_response.service}
    raise AssertionError


async def test_reflection_lists_the_services(start_authority: Starter) -> None:
    """Every service of ours, and those of gRPC."""
    names = await reflected(await start_authority())
    assert {*NAMES[1:], "grpc.health.v1.Health"} <= names


async def test_reflection_can_be_off(start_authority: Starter) -> None:
    """UNIMPLEMENTED then."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await reflected(await start_authority(reflection=False))
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_unknown_method_is_unimplemented(start_authority: Starter) -> None:
    """Not a guard's affair."""
    authority = await start_authority()
    for path in ("/caracal.v1.TokenService/Nothing", "/nobody.Service/Method"):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await authority.channel.unary_unary(path)(b"")
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_telemetry_is_outermost_and_harmless(start_authority: Starter) -> None:
    """With spans on, calls are answered and refused as before."""
    authority = await start_authority(telemetry=True)
    await authority.apply(shop())
    assert (await authority.exchange("agent", ORDERS)).mandate
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await authority.exchange("agent", "resource://nothing")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_advertised_address_goes_into_the_profile(start_authority: Starter) -> None:
    """Clients get the name that they can reach, not the one that we listen on."""
    from caracal_grpc.interceptors.profile import Profile

    with refused(Reason.FIELD_INVALID) as seen:
        await start_authority(advertise="authority.example:443")
    assert seen.fields == ["advertise"], "a plain-text profile is for loopback only"
    authority = await start_authority(advertise="localhost:7420")
    assert Profile.load(authority.folder / "operator.json").authority == "localhost:7420"
