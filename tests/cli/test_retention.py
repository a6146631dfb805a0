"""`audit prune`, `audit erase` and `audit hold`: what they ask, do and say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Shop
from tests.cli.support import Dev, caracal
from tests.cli.terminal import Terminal

ALICE = "usr_01h455vb4pex5vsknk084sn02q"


def found(dev: Dev, shop: Shop, *query: str) -> list[str]:
    """The entries that a search finds."""
    asked = dev.run("audit", "search", "--zone", shop.zone, *query, "--json")
    return [each["id"] for each in asked.json["entries"]]


@pytest.fixture
def revoked(dev: Dev, shop: Shop) -> str:
    """The entry of Alice's revocation, the only one that names her."""
    dev.run("audit", "erase", ALICE, "--yes", "--zone", shop.zone)
    ended = dev.run("revoke", ALICE, "--reason", "left us", "--zone", shop.zone, "--yes", "--json")
    assert ended.code == 0, ended.err
    return str(ended.json["audit_id"])


def test_nothing_is_pruned_that_is_young(dev: Dev, shop: Shop) -> None:
    """It counts first, and says what was done."""
    prune = ("audit", "prune", "--before", "30d", "--zone", shop.zone)
    assert dev.run(*prune, "--dry-run").out == "would prune 0 entries; on hold: 0\n"
    assert dev.run(*prune, "--yes", "--json").json == {"pruned": 0, "held": 0, "audit_id": ""}
    young = dev.run("audit", "prune", "--before", "1h", "--yes", "--zone", shop.zone)
    assert young.code == 2
    assert young.line == "before: must be at least a day ago (FIELD_INVALID)"


def test_a_time_that_is_none_is_refused(dev: Dev, shop: Shop) -> None:
    """Before the authority is asked."""
    ended = dev.run("audit", "prune", "--before", "soon", "--yes", "--zone", shop.zone)
    assert (ended.code, "--before must be a time" in ended.line) == (2, True)


def test_what_names_a_person_is_erased(dev: Dev, shop: Shop, revoked: str, tmp_path: Path) -> None:
    """The entry stays, and the export still proves itself without her."""
    erase = ("audit", "erase", ALICE, "--zone", shop.zone)
    would = dev.run(*erase, "--dry-run")
    assert would.out == "would erase what is personal of 1 entry; on hold: 0\n"
    done = dev.run(*erase, "--yes").out.splitlines()
    assert done[0] == "erased what is personal of 1 entry; on hold: 0"
    assert done[1].startswith("recorded as aud_")
    assert revoked in found(dev, shop, "--type", "revocation")
    file = tmp_path / "ledger"
    assert dev.run("audit", "export", file, "--zone", shop.zone).code == 0
    assert ALICE not in file.read_text()
    key = json.loads(file.read_text().splitlines()[0])["verifier_key"]
    verified = caracal("audit", "verify", file, "--key", key)
    assert verified.code == 0, verified.out + verified.err


def test_nobody_erases_by_mistake(dev: Dev, shop: Shop, revoked: str) -> None:
    """Without a yes, and where nobody can say it, nothing happens."""
    erase = ("audit", "erase", ALICE, "--zone", shop.zone)
    ended = dev.run(*erase)
    assert (ended.code, "nothing is changed; answer y, or use --yes" in ended.err) == (1, True)
    with Terminal(*erase, CARACAL_PROFILE=str(dev.profile)) as terminal:
        terminal.answer(f"of {ALICE} is gone for ever. Erase it? [y/N]:", "n")
        assert terminal.end().code == 1
    assert dev.run(*erase, "--dry-run", "--json").json["erased"] == 1
    with Terminal(*erase, CARACAL_PROFILE=str(dev.profile)) as terminal:
        terminal.answer("Erase it? [y/N]:", "y")
        assert terminal.end().code == 0
    assert dev.run(*erase, "--dry-run", "--json").json["erased"] == 0


def test_a_hold_keeps_a_person(dev: Dev, shop: Shop, revoked: str) -> None:
    """From being erased, until it ends."""
    hold = ("audit", "hold")
    zone = ("--zone", shop.zone)
    made = dev.run(*hold, "create", "--reason", "case 7", "--subject", ALICE, *zone, "--json").json
    name = made["hold"]["id"]
    (row,) = [line for line in dev.run(*hold, "list", *zone).out.splitlines() if name in line]
    assert "case 7" in row
    assert ALICE in row
    erased = dev.run("audit", "erase", ALICE, "--yes", *zone)
    assert erased.out == "erased what is personal of 0 entries; on hold: 2\n"  # with the hold's own
    asked = dev.run(*hold, "delete", name, *zone)
    assert (asked.code, "nothing is changed" in asked.err) == (1, True)
    assert "has ended; recorded as aud_" in dev.run(*hold, "delete", name, "--yes", *zone).out
    assert dev.run(*hold, "list", *zone).out == f"nothing of zone {shop.zone} is on hold\n"
    assert dev.run(*hold, "delete", name, "--yes", *zone).code == 3


def test_a_hold_says_when(dev: Dev, shop: Shop) -> None:
    """Times as people write them."""
    zone = ("--zone", shop.zone)
    times = ("--since", "2026-01-01T00:00:00Z", "--until", "2026-02-01T00:00:00Z")
    made = dev.run("audit", "hold", "create", "--reason", "case 8", *times, *zone, "--json").json
    hold = made["hold"]
    assert (hold["since"], hold["until"]) == ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")
    assert dev.run("audit", "hold", "list", *zone, "--json").json == {"holds": [hold]}
    assert dev.run("audit", "hold", "delete", hold["id"], "--yes", *zone, "--json").json["audit_id"]
