"""`plan`: what an apply would change and what is not declared, and never a write."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Shop
from tests.cli.support import MANIFEST, Dev


def test_a_plan_is_what_apply_does(dev: Dev, tmp_path: Path) -> None:
    """With the same changes, and nothing is made by it: no zone, no profile."""
    manifest = tmp_path / "zone.yaml"
    manifest.write_text(MANIFEST.format(zone="planned"))
    planned = dev.run("plan", "-f", manifest, "--json").json
    assert (planned["applied"], planned["audit_id"], planned["credentials"]) == (False, "", [])
    assert dev.run("keys", "list", "--zone", "planned").code == 3
    same = dev.run("apply", "-f", manifest, "--dry-run", "--json").json
    assert same["changes"] == planned["changes"]
    done = dev.run("apply", "-f", manifest, "--credentials", tmp_path, "--json").json
    assert done["changes"] == planned["changes"]


def test_nothing_to_change_says_so(dev: Dev, shop: Shop) -> None:
    """For people a line; the exit code is 0 with and without `--exit-code`."""
    ended = dev.run("plan", "-f", shop.manifest, "--exit-code")
    assert (ended.code, ended.out) == (0, f"nothing to change in zone {shop.zone}\n")


def test_exit_code_tells_that_there_is_something(dev: Dev, shop: Shop, tmp_path: Path) -> None:
    """6 when it is asked for, and what is merely not declared is nothing to change."""
    manifest = tmp_path / "zone.yaml"
    manifest.write_text(f"zone: {shop.zone}\n")
    shown = dev.run("plan", "-f", manifest, "--exit-code")
    assert shown.code == 0
    rows = [line.split() for line in shown.out.splitlines()]
    assert ["?", "delete", "application", "agent"] in rows
    assert ["?", "update", "zone", shop.zone, "max_hops"] in rows
    pruned = dev.run("plan", "-f", manifest, "--prune", "--exit-code")
    assert pruned.code == 6
    assert dev.run("plan", "-f", manifest, "--prune").code == 0
    assert ["-", "delete", "application", "agent"] in [
        line.split() for line in pruned.out.splitlines()
    ]
    assert dev.run("plan", "-f", shop.manifest, "--exit-code").code == 0


def test_every_zone_of_a_folder_is_planned(dev: Dev, tmp_path: Path) -> None:
    """A line of JSON each; the exit code is that of the one with changes."""
    (tmp_path / "a.yaml").write_text("zone: folder-a\n---\nzone: folder-b\n")
    assert dev.run("apply", "-f", tmp_path, "--zone", "folder-a").code == 0
    ended = dev.run("plan", "-f", tmp_path, "--exit-code", "--json")
    assert ended.code == 6
    assert len(ended.out.splitlines()) == 2


def test_what_is_wrong_is_at_its_file_and_line(dev: Dev, tmp_path: Path) -> None:
    """The grant in one file, the resource in another."""
    (tmp_path / "a.yaml").write_text(
        "zone: split\nresources: [{name: resource://r, scopes: [s]}]\n"
    )
    (tmp_path / "b.yaml").write_text(
        "zone: split\napplications: [{name: x}]\n---\nzone: split\n"
        "grants:\n- {application: x, resource: resource://r, scopes: [t]}\n"
    )
    ended = dev.run("plan", "-f", tmp_path)
    assert ended.code == 2
    where = f"{tmp_path}/b.yaml:6: grants[0].scopes"
    assert ended.line == f"{where}: t is not a scope of resource://r"
