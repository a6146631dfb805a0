"""A zone whose agent passes work on to two workers, for tests of the command line."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Shop
from tests.cli.support import Dev, Ended, caracal

MANIFEST = """\
zone: {zone}
applications:
  - name: agent
  - name: first
    labels: [worker]
  - name: second
resources:
  - name: resource://orders
    scopes: [orders:place, orders:read]
grants:
  - application: agent
    resource: resource://orders
    scopes: [orders:place, orders:read]
  - application: first
    resource: resource://orders
    scopes: [orders:place, orders:read]
    subjects: [agent]
"""

REACH = ("--ceiling", "resource://orders=orders:place,orders:read")
LESS = ("--ceiling", "resource://orders=orders:place")


def apply_relay(dev: Dev, folder: Path, zone: str) -> Shop:
    """The zone, applied, with a profile of each application."""
    manifest = folder / "zone.yaml"
    manifest.write_text(MANIFEST.format(zone=zone))
    applied = dev.run("apply", "-f", manifest, "--credentials", folder, "--json")
    assert applied.code == 0, applied.err
    return Shop(zone, folder, manifest, applied)


def run_as(relay: Shop, name: str, *arguments: str) -> Ended:
    """Runs a command as one of the applications."""
    return caracal(*arguments, profile=relay.profile(name))
