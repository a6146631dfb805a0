"""`diff`: what an apply would change, as text."""

from __future__ import annotations

import pty
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import Shop
from tests.cli.support import MANIFEST, PATIENCE, Dev, environment

REGO = "package caracal.authz\n\nresult := {\n\t}\n"


def test_a_zone_as_it_is_has_none(dev: Dev, shop: Shop) -> None:
    """Though the manifest leaves out what the authority fills in; nor with what is not declared."""
    ended = dev.run("diff", "-f", shop.manifest)
    assert (ended.code, ended.out) == (0, "")


def test_what_changes_is_shown_line_by_line(dev: Dev, shop: Shop, tmp_path: Path) -> None:
    """Present against declared, with nothing done; the exit code is 6."""
    manifest = tmp_path / "zone.yaml"
    wider = MANIFEST.format(zone=shop.zone).replace("max_hops: 4", "max_hops: 5")
    manifest.write_text(wider.replace("[batch, night]", "[batch]"))
    ended = dev.run("diff", "-f", manifest)
    assert ended.code == 6
    lines = ended.out.splitlines()
    assert lines[0] == f"--- {shop.zone}/zone.yaml\tpresent"
    changed = {line for line in lines if line[0] in "+-" and line[:3] not in {"+++", "---"}}
    assert changed == {
        "-  max_hops: 4",
        "+  max_hops: 5",
        "-  labels: [batch, night]",
        "+  labels: [batch]",
    }
    assert dev.run("diff", "-f", shop.manifest, "--json").json == {"zone": shop.zone, "diff": []}


def test_pruning_shows_what_goes(dev: Dev, shop: Shop, tmp_path: Path) -> None:
    """What is not declared is in the diff with `--prune` alone."""
    manifest = tmp_path / "zone.yaml"
    manifest.write_text(f"zone: {shop.zone}\n")
    assert dev.run("diff", "-f", manifest).code == 0
    ended = dev.run("diff", "-f", manifest, "--prune")
    assert ended.code == 6
    assert "-- name: agent" in ended.out.splitlines()
    assert "+  max_hops: 5" in ended.out.splitlines()


def test_a_new_zone_is_all_new_with_its_modules(dev: Dev, tmp_path: Path) -> None:
    """Each module as the file that it is."""
    (tmp_path / "authz.rego").write_text(REGO)
    manifest = tmp_path / "zone.yaml"
    manifest.write_text("zone: brand-new\npolicy: {modules: [authz.rego]}\n")
    ended = dev.run("diff", "-f", manifest)
    assert ended.code == 6
    assert "+++ brand-new/modules/authz.rego" in ended.out
    assert {"+result := {", "+\t}"} <= set(ended.out.splitlines())
    assert all(line[:1] in {"+", "@", "-"} for line in ended.out.splitlines())


def test_colour_is_for_terminals_alone(dev: Dev, tmp_path: Path) -> None:
    """A pipe gets none."""
    manifest = tmp_path / "zone.yaml"
    manifest.write_text("zone: coloured\n")
    assert "\x1b[" not in dev.run("diff", "-f", manifest).out
    outer, inner = pty.openpty()
    command = [sys.executable, "-m", "caracal_grpc", "diff", "-f", str(manifest)]
    more = environment(CARACAL_PROFILE=str(dev.profile), TERM="xterm")
    with open(outer, "rb", buffering=0) as terminal:  # noqa: PTH123 - it is no path
        done = subprocess.run(command, stdout=inner, env=more, timeout=PATIENCE, check=False)
        assert done.returncode == 6
        assert b"\x1b[32m" in terminal.read(65_536)
    subprocess.run(["true"], stdin=inner, check=True)


def test_what_is_refused_is_at_its_line(dev: Dev, tmp_path: Path) -> None:
    """A manifest that cannot be applied has no diff."""
    manifest = tmp_path / "zone.yaml"
    manifest.write_text(
        "zone: a\ngrants: [{application: x, resource: resource://y, scopes: [z]}]\n"
    )
    ended = dev.run("diff", "-f", manifest)
    assert ended.code == 2
    assert ended.err.startswith(f"caracal-grpc: {manifest}:2: grants[0].application: ")
