"""What the README shows is pasted and runs: a private authority, a guard and a client on it."""

from __future__ import annotations

import json
import re
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import yaml

from tests.examples.processes import SHOP, Run, line
from tests.readme.desk import APPLY, Desk, desk
from tests.readme.text import block

GUARD, CLIENT = block("python", "await edge.guard()"), block("python", "client_interceptors")


@dataclass(frozen=True)
class House:
    """A desk in the README's house, with the shop applied, and what that said."""

    desk: Desk
    applied: str

    @property
    def run(self) -> Run:
        """Its processes."""
        return self.desk.run

    def application(self, name: str) -> str:
        """The id of an application of the shop."""
        profile = json.loads((self.desk.profiles / f"shop-{name}.json").read_text())
        return str(profile["application_id"])

    def settings(self, name: str) -> dict[str, str]:
        """The environment of a service of the shop."""
        profile = str(self.desk.profiles / f"shop-{name}.json")
        return {"CARACAL_PROFILE": profile, "PYTHONPATH": str(SHOP)}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The authority of the first steps, and the shop that the snippets are of."""
    with desk(tmp_path_factory.mktemp("readme")) as made:
        shop = APPLY.replace("cd examples/greeter", "cd examples/shop")
        yield House(made, made.paste(shop))


def test_profile_is_where_the_readme_has_it(house: House) -> None:
    """The line to export is the one that `dev` prints."""
    operator = house.desk.profiles / "operator.json"
    assert f"  export CARACAL_PROFILE={operator}" in house.desk.said


def test_apply_writes_the_profiles_that_are_named(house: House) -> None:
    """One for each application, beside the one in use."""
    written = re.findall(r"profile of (\w+): (\S+)", house.applied)
    zone = yaml.safe_load((SHOP / "zone.yaml").read_text())
    names = [each["name"] for each in zone["applications"]]
    assert dict(written) == {name: str(house.desk.profiles / f"shop-{name}.json") for name in names}


def test_guard_and_client_work_together(house: House) -> None:
    """The agent that is shown orders, and the guard that is shown sees who acts for whom."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        payments = f"127.0.0.1:{free.getsockname()[1]}"
    guard = house.run.start(
        *python(GUARD, "127.0.0.1:7431", payments), **house.settings("payments")
    )
    until_open(payments)
    listening = {"SHOP_ORDERS": "127.0.0.1:0", "SHOP_PAYMENTS": payments}
    orders = house.run.start(
        sys.executable, str(SHOP / "orders.py"), **house.settings("orders"), **listening
    )
    address = line(orders).split()[-1]
    said = house.run.run(*python(CLIENT, "127.0.0.1:7432", address), **house.settings("agent"))
    assert f'subject: "{house.application("agent")}"' in said
    assert f'actor: "{house.application("orders")}"' in said
    for service in (orders, guard):
        service.terminate()
        service.wait(20)


@pytest.mark.parametrize("snippet", [GUARD, CLIENT])
def test_without_a_profile_it_says_so_on_one_line(examples: Run, snippet: str) -> None:
    """Somebody who forgot the variable reads its name, and no traceback."""
    process = examples.start(sys.executable, "-c", snippet, PYTHONPATH=str(SHOP))
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, len(errors.splitlines())) == (1, 1)
    assert "CARACAL_PROFILE" in errors


def python(snippet: str, shown: str, address: str) -> tuple[str, ...]:
    """The snippet as it is, but for an address that is free here."""
    assert snippet.count(shown) == 1
    return (sys.executable, "-c", snippet.replace(shown, address))


def until_open(address: str) -> None:
    """Returns once somebody listens there."""
    host, port = address.split(":")
    for _ in range(300):
        try:
            socket.create_connection((host, int(port))).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"nobody listens on {address}")
