"""The README's promises, each held against the code. Its two blocks are run by `.ci/run`."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import textwrap
from itertools import groupby
from pathlib import Path

import pytest

from caracal_grpc.config import ServeSettings
from caracal_grpc.core.mandate import from_claims
from caracal_grpc.core.reason import CODE_OF

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)


def blocks(language: str) -> list[str]:
    """Every code block of a language."""
    return [text for name, text in BLOCKS if name == language]


def test_first_code_is_on_the_first_screen() -> None:
    """A newcomer sees what to paste without scrolling."""
    before = README.partition("```")[0]
    assert before.count("\n") <= 25


@pytest.mark.parametrize("name", ["demo", "test"])
def test_block_is_found_by_name(name: str) -> None:
    """CI runs the very text that a newcomer pastes."""
    printed = subprocess.run(
        [sys.executable, ROOT / ".ci" / "readme_block.py", name],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed in blocks("sh")


def test_shown_mandate_is_one() -> None:
    """The decoded claims are those of a mandate that every verifier would read."""
    mandate = from_claims(json.loads(blocks("json")[0]), "key_01h455vb4pex5vsknk084sn02q")
    assert (mandate.hops, mandate.use, mandate.zone) == (1, "resource", "shop")


def test_reason_table_is_the_table_of_the_code() -> None:
    """The table of reasons by code is the one that the code answers from."""
    rows = [
        f"| {code} | {', '.join(reason.value for reason, _ in group)} |"
        for code, group in groupby(CODE_OF.items(), key=lambda item: item[1])
    ]
    table = re.search(r"<!-- reasons: begin -->\n(.*?)<!-- reasons: end -->", README, re.DOTALL)
    assert table is not None
    assert table[1].strip().splitlines()[2:] == rows


def test_python_names_exist() -> None:
    """What the snippets import from the package is there."""
    for snippet in blocks("python"):
        tree = ast.parse(f"async def snippet():\n{textwrap.indent(snippet, '    ')}")
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                module = __import__(node.module, fromlist=["_"])
                assert all(hasattr(module, alias.name) for alias in node.names)


def test_serve_flags_are_settings() -> None:
    """Each flag in the production example is a setting, and all that are needed are there."""
    example = next(text for text in blocks("sh") if "caracal-grpc serve" in text)
    shown = {flag.replace("-", "_") for flag in re.findall(r"--([a-z-]+)", example)}
    fields = ServeSettings.model_fields
    assert shown <= fields.keys()
    assert {name for name, field in fields.items() if field.is_required()} <= shown


def test_commands_exist() -> None:
    """Each command that is shown answers to --help."""
    shown = set(re.findall(r"^caracal-grpc ([a-z]+)", "\n".join(blocks("sh")), re.MULTILINE))
    listing = subprocess.run(
        [sys.executable, "-m", "caracal_grpc", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert all(re.search(rf"\b{command}\b", listing) for command in shown)


def test_house_is_as_drawn() -> None:
    """Each folder and file of the drawn house exists."""
    house = next(text for name, text in BLOCKS if name == "text" and "core/ " in text)
    for line in house.splitlines():
        depth, names = len(line) - len(line.lstrip()), line.split("  ")
        parent = ROOT / "caracal_grpc" if depth else ROOT
        for name in (names[1] if depth else names[0]).split():
            assert (parent / name).exists(), name


def test_dependencies_are_explained() -> None:
    """The dependency table names every dependency that the package declares."""
    declared = (ROOT / "pyproject.toml").read_text()
    required = re.search(
        r"dependencies = \[(.*?)\n\]\n\n.*?server = \[(.*?)\n\]", declared, re.DOTALL
    )
    assert required is not None
    for name in re.findall(r'"([A-Za-z0-9-]+)', "".join(required.groups())):
        assert name.partition("-api")[0].partition("-sdk")[0] in README, name
