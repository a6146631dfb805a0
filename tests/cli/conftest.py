"""One running `dev` for all tests of the command line, and zones in it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.homes import Home
from tests.cli.support import MANIFEST, Dev, Ended, caracal
from tests.support.authority import start_authority

__all__ = ["start_authority"]


@dataclass(frozen=True, slots=True)
class Shop:
    """An applied zone with the profiles of its two applications."""

    zone: str
    folder: Path
    manifest: Path
    applied: Ended

    def profile(self, application: str) -> Path:
        """The profile that `apply` wrote."""
        return self.folder / f"{self.zone}-{application}.json"

    def application(self, name: str) -> str:
        """The id of an application."""
        found: str = json.loads(self.profile(name).read_text())["application_id"]
        return found

    def as_agent(self, *arguments: str | Path) -> Ended:
        """Runs a command as the application `agent`."""
        return caracal(*arguments, profile=self.profile("agent"))


@pytest.fixture(scope="session")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """A `dev` that no test stops."""
    running = Dev(tmp_path_factory.mktemp("dev") / "state")
    with contextlib.ExitStack() as stack:
        stack.callback(running.end)
        yield running


@pytest.fixture(scope="module")
def shop(
    dev: Dev, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Shop:
    """A zone of the module's own, applied as the operator."""
    zone = request.module.__name__.rpartition(".")[2].replace("_", "-")
    folder = tmp_path_factory.mktemp(zone)
    manifest = folder / "zone.yaml"
    manifest.write_text(MANIFEST.format(zone=zone))
    applied = dev.run("apply", "-f", manifest, "--credentials", folder, "--json")
    assert applied.code == 0, applied.err
    return Shop(zone, folder, manifest, applied)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A configuration home without a profile."""
    return Home(tmp_path / "config")
