"""The README's promises, each held against the code. Blocks with a name are run by `.ci/run`."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from itertools import groupby
from typing import Any

import pytest

from caracal_grpc.core.mandate import from_claims
from caracal_grpc.core.reason import CODE_OF
from caracal_grpc.settings.serve import ServeSettings
from tests.readme.text import README, ROOT, block, blocks


def test_first_code_is_on_the_first_screen() -> None:
    """A newcomer sees what to paste without scrolling."""
    before = README.partition("```")[0]
    assert before.count("\n") <= 25


@pytest.mark.parametrize("name", re.findall(r"<!-- block: (\w+) -->", README))
def test_ci_runs_each_named_block(name: str) -> None:
    """CI runs the very text that a newcomer pastes."""
    printed = subprocess.run(
        [sys.executable, ROOT / ".ci" / "readme_block.py", name],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed in blocks("sh")
    assert f"readme_block.py {name})" in (ROOT / ".ci" / "run").read_text()


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


def test_declared_authority_is_that_of_the_shop() -> None:
    """The proto that is shown is an excerpt of one that is generated and served."""
    whole = (ROOT / "examples/shop/protos/shop/v1/payments.proto").read_text().splitlines()
    lines = {line.strip() for line in whole}
    assert [line for line in blocks("proto")[0].splitlines() if line.strip() not in lines] == []


def test_serve_is_accepted_as_it_is_shown() -> None:
    """Each flag in the production example is a setting, and together they are safe."""
    example = block("sh", "caracal-grpc serve").replace("\\\n", " ")
    words = shlex.split(example, comments=True)
    flags = words[words.index("serve") + 1 :]
    values: dict[str, Any] = {"etcd_endpoints": []}
    for flag, value in zip(flags[::2], flags[1::2], strict=True):
        name = flag.removeprefix("--").replace("-", "_")
        if name == "etcd_endpoints":
            values[name].append(value)
        else:
            assert values.setdefault(name, value) is value
    settings = ServeSettings.load(values)
    assert (settings.tls, len(settings.etcd_endpoints)) == (True, 2)


def test_commands_exist() -> None:
    """Each command that is shown answers to --help."""
    shown = set(re.findall(r"^caracal-grpc ([a-z]+)", "\n".join(blocks("sh")), re.MULTILINE))
    listing = subprocess.run(
        [sys.executable, "-m", "caracal_grpc", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert all(re.search(rf"\b{command}\b", listing) for command in shown)


def test_house_is_as_drawn() -> None:
    """Each folder and module of the drawn house exists, and there is no other."""
    drawn: set[str] = set()
    above: list[str] = []
    for line in block("text", "core/ ").splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        above[depth:] = [line.split()[0].rstrip("/")]
        drawn.add("/".join(above))
    folders = {path.parent for path in ROOT.glob("*/**/*.py")}
    tops = {folder.relative_to(ROOT).parts[0] for folder in folders} - {"build"}
    parts = {f"caracal_grpc/{path.name}" for path in (ROOT / "caracal_grpc").glob("[a-z]*")}
    for house in ("interceptors", "caracal_grpc/authority", "caracal_grpc/ledger"):
        parts |= {f"{house}/{path.name}" for path in (ROOT / house).glob("[a-z]*/")}
    built = {name for name in tops if name[0] != "."} | parts - {"caracal_grpc/py.typed"}
    assert drawn == built


def test_dependencies_are_explained() -> None:
    """The dependency table names every dependency that the package declares."""
    declared = (ROOT / "pyproject.toml").read_text()
    required = re.search(
        r"dependencies = \[(.*?)\n\]\n\n.*?server = \[(.*?)\n\]", declared, re.DOTALL
    )
    assert required is not None
    for name in re.findall(r'"([A-Za-z0-9-]+)', "".join(required.groups())):
        assert name.partition("-api")[0].partition("-sdk")[0] in README, name
