"""The extra `mesh` is all that it takes to answer an Envoy.

Run in a process of its own, in which nothing can be imported that the extra does not bring.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from caracal_grpc.interceptors.profile import Profile

ROOT = Path(__file__).parent.parent.parent
SETTINGS = """\
profile: orders.json
listen: 127.0.0.1:0
inbound:
  methods:
    /shop.v1.Orders/Place: {resource: "resource://orders", scopes: ["orders:place"]}
"""
PROGRAM = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ImportError(name + " is not part of the extra mesh")

sys.meta_path.insert(0, Blocked())
sys.argv = ["caracal-grpc", *{arguments!r}]
from caracal_grpc.cli.main import main
main()
"""


def brought(requirements: Iterable[str]) -> set[str]:
    """The distributions that an install of these brings."""
    seen: set[str] = set()
    todo = [Requirement(each) for each in requirements]
    while todo:
        each = todo.pop()
        found = f"{canonicalize_name(each.name)}[{','.join(sorted(each.extras))}]"
        if found in seen:
            continue
        seen.add(found)
        for needed in map(Requirement, metadata.requires(each.name) or ()):
            marker, extras = needed.marker, each.extras or {""}
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras):
                todo.append(needed)
    return {each.partition("[")[0] for each in seen}


def blocked() -> set[str]:
    """The modules that are installed here and would not be there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extra = project["optional-dependencies"]["mesh"]
    there = brought([*project["dependencies"], *extra]) | {canonicalize_name(project["name"])}
    installed = metadata.packages_distributions()
    return {name for name, of in installed.items() if there.isdisjoint(map(canonicalize_name, of))}


def program(*arguments: str) -> list[str]:
    """The command line, where only the extra is installed."""
    text = PROGRAM.format(blocked=blocked(), arguments=arguments)
    return [sys.executable, "-W", "error", "-c", text]


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Settings, and the profile that they name."""
    Profile(
        authority="127.0.0.1:1",
        zone="shop",
        issuer="https://a.example/zones/shop",
        application_id="app_01h455vb4pex5vsknk084sn02q",
        client_secret="a secret of a test",
        plaintext=True,
    ).save(tmp_path / "orders.json")
    path = tmp_path / "mesh.yaml"
    path.write_text(SETTINGS)
    return str(path)


def test_the_block_is_real() -> None:
    """What only the authority needs cannot be imported there, so the others prove something."""
    assert blocked() >= {"sqlalchemy", "etcd3aio", "regorus", "aiohttp", "grpc_reflection"}


@pytest.mark.parametrize("command", [("schema",), ("check", "FILE"), ("check", "FILE", "--json")])
def test_it_shows_and_checks_the_settings(file: str, command: tuple[str, ...]) -> None:
    """Also as a table, for people."""
    words = ("mesh", *(file if each == "FILE" else each for each in command))
    done = subprocess.run(program(*words), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_it_serves(file: str) -> None:
    """Until SIGTERM."""
    process = subprocess.Popen(
        program("mesh", "serve", file, "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        ready = process.stdout.readline()
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert json.loads(ready or "{}").keys() == {"mesh"}, errors
    assert process.returncode == 0, errors
