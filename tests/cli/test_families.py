"""Families of resources on the command line: declared, compared with rules, exchanged for."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from tests.cli.support import Dev, caracal
from tests.support.order_protos import PLACE, orders_proto

TEMPLATE = "resource://orders/{order.id}"
ZONE = """\
zone: {zone}
applications:
  - name: agent
    ceiling:
      - resource: resource://orders/o-17
        scopes: [orders:place]
resources:
  - name: {family}
    scopes: [orders:place]
grants:
  - application: agent
    resource: resource://orders/*
    scopes: [orders:place]
    step_up: [{step_up}]
"""


def manifest(
    folder: Path, zone: str = "families", family: str = "resource://orders/*", step_up: str = ""
) -> Path:
    """The manifest of a zone with a family of orders."""
    path = folder / f"{zone}.yaml"
    path.write_text(ZONE.format(zone=zone, family=family, step_up=step_up))
    return path


@pytest.fixture
def protos(tmp_path: Path) -> Path:
    """A descriptor set with a method whose resource is in its request."""
    rule = {"scopes": ["orders:place"], "resource": TEMPLATE}
    path = tmp_path / "orders.binpb"
    files = FileDescriptorSet(file=[orders_proto(rule, "resource://shop")])
    path.write_bytes(files.SerializeToString())
    return path


def test_rules_are_compared_with_the_family(protos: Path, tmp_path: Path) -> None:
    """A zone that has it is in order, and one that has its like only is told what to declare."""
    check = ("rules", "check", "--descriptor-set", protos, "-f")
    good = caracal(*check, manifest(tmp_path))
    assert (good.code, good.err) == (0, "")
    bad = caracal(*check, manifest(tmp_path, family="resource://order/*"))
    assert bad.code == 6
    expected = f"names {TEMPLATE}, which the zone does not have; declare resource://orders/* there"
    assert expected in bad.out


def test_the_table_shows_what_is_written_and_what_is_held_back(
    protos: Path, tmp_path: Path
) -> None:
    """The template, and the step-up of grants on its family."""
    declared = manifest(tmp_path, step_up="orders:place")
    table = ("rules", "table", "--descriptor-set", protos, "--format", "json", "-f", declared)
    (row,) = caracal(*table).json["methods"]
    assert (row["resource"], row["step_up"]) == (TEMPLATE, ["orders:place"])


def test_a_rule_that_its_requests_do_not_fit_is_a_finding(protos: Path, tmp_path: Path) -> None:
    """One of a file of rules, too."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(f"{PLACE}: {{resource: 'resource://orders/{{ids}}', scopes: [orders:place]}}")
    found = caracal("rules", "check", "--descriptor-set", protos, "--rules", rules)
    assert found.code == 6
    assert "its rule counts as not declared" in found.out
    assert "is repeated" in found.out
    rules.write_text(f"{PLACE}: {{resource: 'resource://orders/*', scopes: [orders:place]}}")
    refused = caracal("rules", "check", "--descriptor-set", protos, "--rules", rules)
    assert refused.code == 2
    assert refused.line.startswith(f"{rules}:1: {PLACE}.resource: names a family")


def test_a_mandate_is_exchanged_for_one_of_the_family(dev: Dev, tmp_path: Path) -> None:
    """As far as the ceiling reaches, and never for the family."""
    declared = manifest(tmp_path)
    applied = dev.run("apply", "-f", declared, "--credentials", tmp_path, "--json")
    assert applied.code == 0, applied.err
    profile = tmp_path / "families-agent.json"
    good = caracal("exchange", "resource://orders/o-17", "--json", profile=profile)
    assert good.json["scope"] == "orders:place"
    assert caracal("exchange", "resource://orders/o-18", profile=profile).code != 0
    family = caracal("exchange", "resource://orders/*", profile=profile)
    assert family.out == ""
    assert "names a family" in family.err
    again = dev.run("apply", "-f", declared, "--credentials", tmp_path, "--json")
    assert again.json["changes"] == []


def test_rules_are_compared_with_the_family_of_a_present_zone(
    dev: Dev, protos: Path, tmp_path: Path
) -> None:
    """As the authority has it."""
    declared = manifest(tmp_path, "present-families")
    assert dev.run("apply", "-f", declared, "--credentials", tmp_path).code == 0
    check = ("rules", "check", "--descriptor-set", protos, "--against-zone", "--zone")
    good = dev.run(*check, "present-families")
    assert good.code == 0, good.err
    assert dev.run(*check, "caracal").code == 6


@pytest.mark.parametrize("name", ["resource://*", "resource://orders*", "resource://*/o-17"])
def test_a_bad_family_has_its_line(dev: Dev, tmp_path: Path, name: str) -> None:
    """In the manifest, as anything else that is wrong there."""
    declared = manifest(tmp_path, "bad-families", name)
    refused = dev.run("apply", "-f", declared)
    assert refused.code == 2
    assert f"{declared}:8: " in refused.err
