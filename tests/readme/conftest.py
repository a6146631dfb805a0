"""Fixtures of the README's tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.examples.conftest import examples
from tests.examples.ports import Ports
from tests.examples.processes import EXAMPLES
from tests.readme.desk import Desk, desk

__all__ = ["examples"]


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Somebody who may write to the greeter, with an authority of minute 0."""
    with desk(tmp_path_factory.mktemp("tutorial")) as made:
        folder = made.run.folder / "examples"
        folder.unlink()
        for name in ("greeter", "mesh"):
            shutil.copytree(EXAMPLES / name, folder / name)
        yield made


@pytest.fixture
def ports(newcomer: Desk) -> Ports:
    """Those of the greeter and of its proxy, where nobody else has them."""
    made = Ports("7440", "7441")
    greeter = newcomer.run.folder / "examples" / "greeter"
    shutil.copytree(EXAMPLES / "greeter", greeter, dirs_exist_ok=True)
    made.move(greeter)
    return made
