"""A shipper that is killed in the middle of its work, and mandates that run out in it."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.shipping.cursor import read_progress
from caracal_grpc.v1.audit_service_pb2 import SearchRequest
from tests.cli.support import Running as Process
from tests.shipping.shipping import SOON, decide, reached, recorded, shipping
from tests.support.authority import Running, eventually
from tests.support.shop import CARACAL, shop

ENTRIES = 600


def arrived(folder: Path) -> list[tuple[str, str]]:
    """Key and id of every line of the archive."""
    text = (folder / "audit.jsonl").read_bytes()
    assert text.endswith(b"\n")
    return [(line["key"], line["id"]) for line in map(json.loads, text.splitlines())]


def configured(authority: Running, folder: Path) -> Path:
    """Settings with batches so small that a kill comes between or within them."""
    authority.profile.save(folder / "operator.json")
    sink = {"file": {"path": "audit.jsonl"}, "batch": {"max_records": 3, **SOON}}
    document = {"profile": "operator.json", "state_dir": "state", "zones": ["shop"]}
    file = folder / "ship.yaml"
    file.write_text(yaml.safe_dump(document | {"sinks": {"archive": sink}}))
    return file


async def test_a_kill_in_the_middle_loses_nothing(authority: Running, tmp_path: Path) -> None:
    """Again and again: order is kept, and what is there twice is so under the same id."""
    for _ in range(ENTRIES // 60):
        await decide(authority, 60)
    truth = await recorded(authority)
    file = configured(authority, tmp_path)
    stood = []
    for goal in range(ENTRIES // 4, ENTRIES, ENTRIES // 4):
        process = await asyncio.to_thread(Process, "audit", "ship", file)
        await reached(tmp_path, "archive", goal)
        await asyncio.to_thread(process.end, signal.SIGKILL)
        stood.append(read_progress(tmp_path / "state", "archive").zones["shop"].next)
    assert stood == sorted(stood)
    assert stood[0] < len(truth), "it was killed before it had all"
    process = await asyncio.to_thread(Process, "audit", "ship", file)
    await reached(tmp_path, "archive", len(truth))
    assert (await asyncio.to_thread(process.end)).code == 0
    assert list(dict.fromkeys(arrived(tmp_path))) == truth


@pytest.fixture
def brief() -> dict[str, Any]:
    """The shop, whose agent may read its ledger with mandates of the shortest life."""
    zone = shop()
    grant = {"application": "agent", "resource": CARACAL, "scopes": ["caracal:audit:read"]}
    zone["policy"]["grants"].append(grant | {"ttl_seconds": 2})
    return zone


async def test_a_mandate_that_runs_out_is_renewed(
    authority: Running, brief: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The stream is cut each time, and goes on where it was, without a word of warning."""
    await authority.apply(brief)
    credential = authority.credentials["shop", "agent"]
    reader = Profile(
        authority=authority.address,
        zone="shop",
        issuer=authority.profile.issuer.replace("caracal", "shop"),
        application_id=credential.application_id,
        client_secret=credential.client_secret,
        plaintext=True,
    )
    sink = {"archive": {"file": {"path": "audit.jsonl"}, "batch": SOON}}
    async with shipping(authority, tmp_path, sink, by=reader):

        async def renewed() -> bool:
            request = SearchRequest(zone="shop", resource=CARACAL)
            metadata = await authority.operator()
            found = await authority.stubs.audit.Search(request, metadata=metadata)
            return len(found.entries) >= 2

        await decide(authority, 3)
        await eventually(renewed, timeout=60, pause=0.2)
        await decide(authority, 3)
        await reached(tmp_path, "archive", len(await recorded(authority)))
    found = arrived(tmp_path)
    assert found == (await recorded(authority))[: len(found)]
    warned = [each for each in caplog.records if each.name == "caracal.shipping"]
    assert [each.message for each in warned if each.levelname != "INFO"] == []
