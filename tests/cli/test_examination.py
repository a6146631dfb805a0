"""The steps of the doctor in this process: what is odd in one of them, and what the skew means."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from caracal_grpc.cli.context import Choice, load
from caracal_grpc.cli.doctor import examination, reach
from caracal_grpc.cli.doctor.examination import STEPS, Step, examine
from caracal_grpc.cli.doctor.found import Found, Status, fine
from caracal_grpc.cli.doctor.patient import Patient, Skew
from caracal_grpc.crypto.system import SystemClock
from tests.cli.homes import profile
from tests.support.etcd_tls import CertificateAuthority
from tests.support.tls import write_tls


def patient(tmp_path: Path) -> Patient:
    """One whose authority is not there."""
    return Patient(Choice(profile(tmp_path / "p.json"), "--profile"), SystemClock())


def looked(patient: Patient) -> list[Found]:
    """All that is found."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(examine(patient))


async def hangs(_: Patient) -> Found:
    """Never answers."""
    await asyncio.Event().wait()
    return fine("never", "never")


async def breaks(_: Patient) -> Found:
    """Fails in a way that nobody foresaw."""
    raise ValueError("a secret")


def test_a_step_that_fails_in_any_way_is_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not need it is looked at all the same; its text may hold anything."""
    steps = (Step("odd", breaks, optional=True), Step("late", hangs), Step("last", breaks))
    monkeypatch.setattr(examination, "STEPS", steps)
    monkeypatch.setattr(examination, "_PATIENCE", 0.05)
    odd, late, last = looked(patient(tmp_path))
    assert (odd.status, odd.detail) == (Status.FAILED, "cannot be looked at: ValueError")
    assert (late.status, late.detail, late.reached) == (
        Status.FAILED,
        "no answer within 0.05 s",
        False,
    )
    assert (last.status, last.detail) == (Status.SKIPPED, "not looked at, since late failed")


def test_every_step_is_told_whatever_happens(tmp_path: Path) -> None:
    """In the same order."""
    found = looked(patient(tmp_path))
    assert [each.name for each in found] == [each.name for each in STEPS]


@pytest.mark.parametrize(
    ("least", "most", "certain"),
    [(-0.1, 0.2, 0.0), (0.0, 9.0, 0.0), (3.0, 4.0, 3.0), (-7.0, -6.0, -6.0)],
)
def test_what_a_journey_may_explain_is_no_skew(least: float, most: float, certain: float) -> None:
    """Only what is left of it is certain."""
    assert Skew(least, most).certain == certain


@pytest.mark.parametrize(
    ("authority", "endpoints"),
    [
        ("a.example:7420", [("a.example", 7420)]),
        ("dns:///a.example:7420", [("a.example", 7420)]),
        ("ipv4:10.0.0.1:1,10.0.0.2:2", [("10.0.0.1", 1), ("10.0.0.2", 2)]),
        ("ipv6:[::1]:7420", [("::1", 7420)]),
    ],
)
def test_every_address_of_a_profile_is_looked_at(
    authority: str, endpoints: list[tuple[str, int]], tmp_path: Path
) -> None:
    """Whichever way they are written."""
    one = patient(tmp_path)
    examined = looked(one)
    assert examined[0].status is Status.OK
    one.loaded = replace(one.profile, authority=authority, plaintext=False, server_name="a.example")
    assert one.endpoints() == endpoints


@pytest.mark.parametrize("minutes", [(25, 5), (5, 25)])
async def test_the_certificate_that_ends_first_is_told(
    minutes: tuple[int, int], tmp_path: Path
) -> None:
    """Of two replicas, whichever is asked first: one that is due hides behind none."""
    ca = CertificateAuthority()
    async with AsyncExitStack() as stack:
        ports = []
        for left in minutes:
            files = write_tls(tmp_path, ca, f"replica-{left}", ends=timedelta(minutes=left))
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(files.certificate, files.key)
            context.set_alpn_protocols(["h2"])
            server = await asyncio.start_server(_hang_up, "127.0.0.1", 0, ssl=context)
            ports.append(server.sockets[0].getsockname()[1])
            await stack.enter_async_context(server)
        one = patient(tmp_path)
        both = ",".join(f"127.0.0.1:{port}" for port in ports)
        one.loaded = replace(
            load(one.chosen),
            authority=f"ipv4:{both}",
            plaintext=False,
            ca_file=str(files.ca),
            server_name="localhost",
        )
        found = await reach.tls(one)
    assert found.status is Status.FAILED
    assert f"127.0.0.1:{ports[minutes.index(5)]} is good for" in found.detail


async def _hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
