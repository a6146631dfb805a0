"""An Envoy of the mesh: the very configurations of the example, on free ports of this machine."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from caracal_grpc.cli.demo.agent import TIMEOUT
from caracal_grpc.cli.demo.mesh import needs
from caracal_grpc.cli.demo.mesh.web import ask
from caracal_grpc.cli.demo.process import PATIENCE, failure, started
from caracal_grpc.cli.demo.stage import ANY_PORT
from caracal_grpc.mesh.envoy_binary import find_envoy

_POLL: Final = 0.02
_LONG: Final = f"{TIMEOUT}s"


@asynccontextmanager
async def envoy(
    folder: Path, files: Sequence[str], addresses: Mapping[str, str]
) -> AsyncIterator[dict[str, str]]:
    """Where its listeners are, by name; those at unix sockets are not among them.

    `addresses` are those of listeners and clusters. Its access log is in `folder`. Raises
    `CliError` when it does not start.
    """
    admin, log = folder / "admin", folder / "envoy.log"
    runner = needs.runner()
    made = runner.configuration(files, {"admin": ANY_PORT, **addresses})
    _wait_longer(made)
    command = (str(find_envoy()), "--config-yaml", json.dumps(made), *runner.QUIET)
    with (folder / "access.log").open("wb") as access:
        more = ("--admin-address-path", str(admin))
        async with started((*command, *more), {}, log, access) as process:
            at = await _ready(process, admin, log)
            yield await _listeners(at)


def _wait_longer(made: Any) -> None:
    """Lets a busy machine answer: what is shown is who is refused, not how fast it is."""
    for value in made.values() if isinstance(made, dict) else made:
        if isinstance(value, dict) and "envoy_grpc" in value:
            value["timeout"] = _LONG
            value["retry_policy"]["retry_back_off"]["max_interval"] = _LONG  # of each try
        elif isinstance(value, dict) and "connection_keepalive" in value:
            value["connection_keepalive"]["timeout"] = _LONG
        elif isinstance(value, dict | list):
            _wait_longer(value)


async def _ready(process: Process, admin: Path, log: Path) -> str:
    """The address of its administration, once it takes requests."""
    try:
        async with asyncio.timeout(PATIENCE):
            while process.returncode is None:
                at = _read(admin)
                if at and (await ask(at, "GET", "/ready")).status == 200:
                    return at
                await asyncio.sleep(_POLL)
    except (TimeoutError, OSError) as error:
        raise failure("envoy", log) from error
    raise failure("envoy", log)


def _read(admin: Path) -> str:
    return admin.read_text().strip() if admin.exists() else ""


async def _listeners(admin: str) -> dict[str, str]:
    told = json.loads((await ask(admin, "GET", "/listeners?format=json")).body)
    found = {}
    for each in told["listener_statuses"]:
        place = each["local_address"].get("socket_address")
        if place is not None:
            found[each["name"]] = f"{place['address']}:{place['port_value']}"
    return found
