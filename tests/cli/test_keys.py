"""`keys`: rotated, retired, compromised and sealed anew from the command line."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

import pytest

from tests.cli.conftest import Shop
from tests.cli.support import PATIENCE, Dev, Ended, environment


@pytest.fixture(scope="module")
def zone(dev: Dev, shop: Shop) -> str:
    """The zone of this module, whose new keys stay pending for as long as the tests run."""
    settings = "settings:\n  key_publish_seconds: 3600\n"
    shop.manifest.write_text(shop.manifest.read_text().replace("settings:\n", settings))
    applied = dev.run("apply", "-f", shop.manifest)
    assert applied.code == 0, applied.err
    return shop.zone


def run(dev: Dev, zone: str, *arguments: str) -> Ended:
    """One command of the operator about the zone."""
    return dev.run("keys", *arguments, "--zone", zone)


def listed(dev: Dev, zone: str) -> list[Any]:
    """The keys of the zone, newest first."""
    found: list[Any] = run(dev, zone, "list", "--json").json["keys"]
    return found


def test_a_key_that_is_pending_is_retired(dev: Dev, zone: str) -> None:
    """The one that signs is not."""
    (first,) = listed(dev, zone)
    assert (first["state"], first["compromised"], len(first["kek_id"])) == ("active", False, 16)
    rotated = run(dev, zone, "rotate", "--json").json
    kid = rotated["key"]["public"]["kid"]
    refused = run(dev, zone, "retire", first["public"]["kid"])
    assert refused.code != 0
    assert "KEY_STATE_CONFLICT" in refused.line
    assert kid in run(dev, zone, "retire", kid).out
    newest = listed(dev, zone)[0]
    assert (newest["public"]["kid"], newest["state"], newest["kek_id"]) == (kid, "retired", "")


def test_a_key_is_compromised_by_who_types_it(dev: Dev, zone: str) -> None:
    """Nothing is done without; `--yes` is for scripts. Another signs at once."""
    before = listed(dev, zone)
    active = next(each["public"]["kid"] for each in before if each["state"] == "active")
    asked = run(dev, zone, "compromise", active)
    assert (asked.code, asked.out) == (1, "")
    assert listed(dev, zone) == before
    done = run(dev, zone, "compromise", active, "--yes", "--reason", "a leak", "--json").json
    after = {each["public"]["kid"]: each for each in listed(dev, zone)}
    assert after[active]["compromised"]
    assert after[done["successor"]["public"]["kid"]]["state"] == "active"
    table = run(dev, zone, "list").out
    assert "compromised" in table
    assert "destroyed" in table
    assert "is dead" in run(dev, zone, "compromise", active, "--yes").out


def test_an_interrupt_is_told_and_ends_nothing(dev: Dev, zone: str) -> None:
    """At the question, as anywhere else: one line, and the code that a shell expects."""
    before = listed(dev, zone)
    profile = environment(CARACAL_PROFILE=str(dev.profile))
    # Whoever runs the tests in the background has the signal ignored, which processes inherit.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    command = f"{heard}; from caracal_grpc.cli.main import main; main()"
    arguments = [before[0]["public"]["kid"], "--zone", zone]
    with subprocess.Popen(
        [sys.executable, "-c", command, "keys", "compromise", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=profile,
    ) as process:
        assert process.stderr is not None
        assert "dies at once" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (130, "")
    assert err.endswith("caracal-grpc: interrupted\n")
    assert listed(dev, zone) == before


def test_keys_are_sealed_anew(dev: Dev, zone: str) -> None:
    """Here all are under the present key already, in one zone and in every one."""
    one = run(dev, zone, "reseal", "--json").json
    assert (one["resealed"], one["audit_id"]) == (0, "")
    every = dev.run("keys", "reseal", "--all", "--json").json
    assert every["unchanged"] > one["unchanged"] > 0
    assert every["kek_id"] == one["kek_id"]
    assert one["kek_id"] in run(dev, zone, "reseal").out
    assert run(dev, zone, "reseal", "--all").code == 2
