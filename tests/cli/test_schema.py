"""The JSON Schema of manifests: made from what reads them, published, and true of the examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from caracal_grpc.cli.errors import CliError
from caracal_grpc.cli.manifest import Manifest
from caracal_grpc.cli.manifest.schema import FILE, schema, schema_text
from tests.cli.support import MANIFEST, caracal
from tests.cli.test_manifest import WRONG
from tests.support.json_schema import faults

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*/zone.yaml"))
UNLIKE_JSON = {
    "no date", "no number", "no truth value", "a number as a key", "a list as a key", "a key twice",
    "an alias", "no yaml", "a python object",
}  # fmt: skip
"""What never becomes a value."""
BEYOND = {"an application twice", "a resource twice", "a module that is not there"}
"""What no schema can say."""


def test_the_published_schema_is_that_of_the_models() -> None:
    """Renew it with `caracal-grpc schema > caracal_grpc/cli/manifest/zone.schema.json`."""
    assert FILE.read_text() == schema_text()


def test_schema_prints_it() -> None:
    """Without any authority."""
    ended = caracal("schema")
    assert (ended.code, ended.out) == (0, FILE.read_text())


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda each: each.parent.name)
def test_examples_fit_it(file: Path) -> None:
    """And name it in their first line, by a path that leads there."""
    text = file.read_text()
    assert faults(schema(), yaml.safe_load(text)) == []
    prefix = "# yaml-language-server: $schema="
    first = text.splitlines()[0]
    assert first.startswith(prefix)
    assert (file.parent / first.removeprefix(prefix)).resolve() == FILE


def test_a_manifest_of_everything_fits_it() -> None:
    """Numbers, lists, nested things."""
    assert faults(schema(), yaml.safe_load(MANIFEST.format(zone="shop"))) == []


@pytest.mark.parametrize("case", sorted(WRONG.keys() - UNLIKE_JSON - BEYOND))
def test_what_the_models_refuse_does_not_fit(case: str) -> None:
    """Every wrong manifest that is a value at all."""
    value: Any = yaml.safe_load(WRONG[case][0])
    if isinstance(value, dict) and isinstance(value.get("applications"), list):
        value = json.loads(json.dumps(value))
    assert faults(schema(), value)


@pytest.mark.parametrize(
    ("field", "fits"),
    [
        ({"applications": [{"name": "a"}]}, True),
        ({"applications": [{"name": 1}]}, False),
        ({"applications": [{}]}, False),
        ({"policy": {"modules": ["a.rego"], "tests": [{"name": "t", "source": ""}]}}, True),
        ({"policy": {"modules": [{"name": "a.rego"}]}}, False),
        ({"settings": {"limits": {"zone_burst": 1}}}, True),
        ({"settings": {"limits": {"zone_burst": "1"}}}, False),
        ({"settings": {"chain_visibility": "hashed"}}, True),
        ({"settings": {"chain_visibility": "none"}}, False),
        ({"webhooks": None}, False),
    ],
)
def test_the_schema_and_the_models_agree(field: dict[str, Any], fits: bool, tmp_path: Path) -> None:
    """Field by field, on what is right and on what is wrong."""
    (tmp_path / "a.rego").write_text("")
    value = {"zone": "a", **field}
    (tmp_path / "zone.yaml").write_text(json.dumps(value))
    assert (faults(schema(), value) == []) is fits
    if fits:
        Manifest.read(tmp_path / "zone.yaml")
    else:
        with pytest.raises(CliError):
            Manifest.read(tmp_path / "zone.yaml")
