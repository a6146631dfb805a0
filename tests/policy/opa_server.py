"""Servers that answer as OPA does: a real `opa` where there is one, and recorded exchanges."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from caracal_grpc.outbound.egress import LOOPBACK
from caracal_grpc.outbound.http import HttpOutbound
from caracal_grpc.outbound.port import OutboundError
from caracal_grpc.policy.bundle import Bundle
from caracal_grpc.policy.opa_answer import DATA_PATH
from caracal_grpc.policy.opa_bundle import opa_bundle
from tests.support.web import Answer, Request, WebServer

SOURCE: Final = """package caracal.authz

result := {"decision": "allow", "reasons": ["said"], "scopes": input.requested_scopes} if {
	input.context.say == "allow"
}

result := {"decision": "deny", "reasons": [data.caracal.texts.no]} if {
	input.context.say == "deny"
}

result := {"decision": "step_up", "step_up": {"scopes": input.requested_scopes}} if {
	input.context.say == "step_up"
}

result := {"decision": "perhaps"} if input.context.say == "perhaps"
"""

BUNDLE: Final = Bundle.of({"said.rego": SOURCE}, {"texts": {"no": "not_today"}})
"""The version that is active here."""
OTHER: Final = Bundle.of({"said.rego": SOURCE}, {"texts": {"no": "not_then"}})
"""One that decides otherwise."""

_RESULTS: Final[dict[str, Any]] = {
    "allow": {"decision": "allow", "reasons": ["said"], "scopes": ["payments:charge"]},
    "deny": {"decision": "deny", "reasons": ["not_today"]},
    "step_up": {"decision": "step_up", "step_up": {"scopes": ["payments:charge"]}},
    "perhaps": {"decision": "perhaps"},
}

OPA: Final = shutil.which("opa")
KINDS: Final = ["recorded", *(["opa"] if OPA else [])]
"""The recorded exchanges run everywhere, the real server where it is installed."""


def recorded(revision: str, say: str) -> bytes:
    """The body that a server with the bundle of `revision` answers with, as OPA writes it."""
    build = {"version": "1.4.2", "build_commit": "", "build_timestamp": "", "build_hostname": ""}
    bundles = {"bundle.tar.gz": {"revision": revision}}
    document: dict[str, Any] = {"provenance": {**build, "bundles": bundles}}
    if say in _RESULTS:
        document["result"] = _RESULTS[say]
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


class Recorded(WebServer):
    """Answers questions with what was recorded for them."""

    revision: str = BUNDLE.version

    def answer(self, request: Request) -> Answer:
        """What is answered to `request`, unless the test told something for its path."""
        known = self.answers.get(request.path)
        if known is not None:
            return known
        say = json.loads(request.body)["input"]["context"].get("say", "")
        return Answer(recorded(self.revision, say), headers={"Content-Type": "application/json"})


@asynccontextmanager
async def serving(kind: str, folder: Path, bundle: Bundle) -> AsyncIterator[str]:
    """The URL of a server of that kind with `bundle`."""
    if kind == "recorded":
        server = Recorded()
        server.revision = bundle.version
        await server.start()
        yield server.url
        await server.stop()
        return
    path = folder / "bundle.tar.gz"
    path.write_bytes(opa_bundle(bundle))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"127.0.0.1:{port}"
    process = await asyncio.create_subprocess_exec(
        str(OPA), "run", "--server", "--addr", address, "--log-level", "error", "--bundle", path
    )
    try:
        await _up(f"http://{address}")
        yield f"http://{address}"
    finally:
        process.terminate()
        await process.wait()


async def _up(url: str) -> None:
    """Returns when the server answers."""
    client = HttpOutbound(LOOPBACK)
    try:
        async with asyncio.timeout(30):
            while True:
                try:
                    await client.get(f"{url}/health?bundles", 10_000)
                except OutboundError:
                    await asyncio.sleep(0.02)
                else:
                    return
    finally:
        await client.close()


__all__ = ["BUNDLE", "DATA_PATH", "KINDS", "OTHER", "Recorded", "recorded", "serving"]
