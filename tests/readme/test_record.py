"""What the README says of the record: its commands pasted, its settings loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from caracal_grpc.settings.shipping import ShippingSettings
from tests.readme.desk import desk
from tests.readme.test_operating import ACTIVATE, PROFILE
from tests.readme.text import README, block, blocks

CHAPTER = README.partition("## The record")[2].partition("\n## ")[0]
INIT = block("sh", "caracal-grpc init pay")
EXPLAIN = block("sh", "caracal-grpc audit explain why-1")


def test_decision_is_explained_as_shown(tmp_path: Path) -> None:
    """In the zone of the operator's first step; the explanation holds."""
    assert EXPLAIN in CHAPTER
    with desk(tmp_path) as operator:
        said = operator.paste(ACTIVATE, PROFILE, INIT, EXPLAIN)
    assert "asked again: it holds" in said
    assert "asked for ledger:read on resource://ledger" in said


def test_shown_settings_of_shipping_are_settings(tmp_path: Path) -> None:
    """As they are, with the files that they name."""
    (shown,) = blocks("yaml")[-1:]
    assert shown in CHAPTER
    for name in ("siem-token", "log-ca.pem", "shipper.json"):
        (tmp_path / name).write_text("x")
    settings = ShippingSettings.load(yaml.safe_load(shown), tmp_path)
    assert [each.format for each in settings.sinks.values()] == ["ocsf", "otlp", "json", "json"]
    assert [len(each.receivers) for each in settings.sinks.values()] == [1, 1, 1, 1]


@pytest.mark.parametrize("command", ["search", "tail", "explain", "receipt", "witness", "ship"])
def test_chapter_names_the_command(command: str) -> None:
    """What there is, is told."""
    assert f"audit {command}" in CHAPTER
