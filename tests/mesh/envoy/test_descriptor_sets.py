"""Rules that protos declare themselves: the configuration names a descriptor set, and no rule."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from caracal_grpc.core.reason import Reason
from tests.mesh.envoy.conftest import Granted
from tests.readme.text import ROOT
from tests.stories.support import profile_of
from tests.support.authority import Running, reason_of
from tests.support.mesh import CANCEL, PLACE, SERVICE, Sidecar, sidecar

pytestmark = pytest.mark.asyncio(loop_scope="module")

TRACK = f"/{SERVICE}/Track"


def write_set(path: Path) -> Path:
    """The descriptor set of the examples, as `buf build` writes it."""
    paths = ("proto", "examples/shop/protos", "examples/greeter/protos")
    modules = {"version": "v2", "modules": [{"path": each} for each in paths]}
    buf = Path(sys.executable).with_name("buf")
    command = [str(buf), "build", "--config", json.dumps(modules), "-o", str(path)]
    subprocess.run(command, cwd=ROOT, check=True)
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def declared(
    served: Running, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Sidecar]:
    """A sidecar that knows nothing but the protos, and that all plain HTTP is public."""
    folder = tmp_path_factory.mktemp("declared")
    everything = {"path": "/**", "public": True, "public_reason": "a test"}
    inbound = {
        "descriptor_sets": [str(write_set(folder / "shop.binpb"))],
        "methods": {},
        "routes": [everything],
    }
    async with sidecar(folder, profile_of(served, "orders"), inbound=inbound) as made:
        yield made


async def test_what_a_proto_declares_is_asked_for(declared: Sidecar, granted: Granted) -> None:
    """The scope of the one method is granted, that of the other is not."""
    token = await granted()
    assert await declared.call(token, PLACE) == b"tea"
    assert len(declared.service.seen) == 1
    assert await reason_of(declared.call(token, TRACK)) is Reason.SCOPE_INSUFFICIENT
    assert await reason_of(declared.call("", PLACE)) is Reason.MANDATE_MISSING
    assert len(declared.service.seen) == 1


@pytest.mark.parametrize("method", [CANCEL, "/greeter.v1.Greeter/SayHello"])
@pytest.mark.parametrize("content_type", ["application/grpc", "application/json", "text/plain"])
async def test_what_a_proto_does_not_declare_is_refused(
    declared: Sidecar, granted: Granted, content_type: str, method: str
) -> None:
    """Whatever it says that it is, though every path that is no method is public: of a service
    that declares others, and of one that declares none.
    """
    said = (("Content-Type", content_type), ("TE", "trailers"))
    before = declared.reached
    answer = await declared.http(await granted(), "POST", method, said, b"\0\0\0\0\0")
    assert answer.status == 403 or answer.header("grpc-status") == "7"
    assert declared.reached == before
    assert (await declared.http("", "GET", "/anything")).status == 200
