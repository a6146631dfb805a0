"""The shop behind Envoys, run by hand as its README says."""

from __future__ import annotations

import json
import re
import shutil
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.examples.processes import CLI, EXAMPLES, Run, line

PORTS = ("7431", "7432", "7433", "7434", "7435")
PATIENCE = 100
BLOCKS = ["install", "dev", "declare", "services", "proxies", "agent", "stop"]

_TERMINAL = """
set -euo pipefail
export PATH={path}:$PATH
trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT
"""


@pytest.fixture
def checkout(examples: Run) -> Path:
    """The examples where nobody else has their ports and their sockets."""
    folder = examples.folder / "examples"
    with ExitStack() as held:
        ports = [held.enter_context(socket.socket()) for _ in PORTS]
        for each in ports:
            each.bind(("127.0.0.1", 0))
        free = {old: str(each.getsockname()[1]) for old, each in zip(PORTS, ports, strict=True)}
    for name in ("shop", "mesh"):
        shutil.copytree(EXAMPLES / name, folder / name)
    for path in (each for each in folder.rglob("*") if each.suffix in {".py", ".yaml", ".md"}):
        text = path.read_text().replace("/tmp/caracal-shop", f"{examples.folder}/socket")  # noqa: S108
        for old, new in free.items():
            text = text.replace(f"127.0.0.1:{old}", f"127.0.0.1:{new}")
        path.write_text(text)
    return folder


def _blocks(readme: Path) -> dict[str, str]:
    found = re.findall(
        r"<!-- block: mesh-(\w+) -->\n```sh\n(.*?)```", readme.read_text(), re.DOTALL
    )
    return dict(found)


def test_a_newcomer_runs_it_from_its_readme(examples: Run, checkout: Path) -> None:
    """Its blocks are pasted one after the other: declared, started, shopped, stopped.

    One service has no code of ours, one upstream only a key.
    """
    blocks = _blocks(checkout / "mesh" / "README.md")
    assert list(blocks) == BLOCKS
    terminal = _TERMINAL.format(path=Path(CLI[0]).parent)
    dev = blocks["dev"].replace("dev ", "dev --port=0 ")
    authority = examples.start("bash", "-c", f"{terminal}exec {dev}")
    while "Ctrl-C" not in line(authority):
        pass
    pasted = "".join(blocks[name] for name in BLOCKS[2:])
    process = examples.start("bash", "-c", terminal + pasted)
    out, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, (out, errors)
    said = [each for each in out.splitlines() if re.match("placed|paid|GET|DELETE", each)][-4:]
    assert re.fullmatch(r"placed    order-\w+, because of aud_\w+", said[0])
    assert re.fullmatch(r"paid      payment-\w+, because of aud_\w+", said[1])
    assert said[2:] == [
        "GET       200 {'contact': 'c-1', 'likes': 'tea'}",
        "DELETE    403 SCOPE_INSUFFICIENT",
    ]
    _require_silent(examples, out + errors)
    authority.terminate()
    assert authority.wait(20) == 0
    assert examples.soon_nothing_alive()


def _require_silent(run: Run, said: str) -> None:
    """Each request is in the access logs, and the key of the CRM in none of them."""
    logged = [json.loads(each) for each in said.splitlines() if each.startswith("{")]
    decided = [(each.get("decision"), each["path"]) for each in logged if "path" in each]
    assert ("allow", "/shop.v1.Orders/Place") in decided
    assert ("allow", "/shop.v1.Payments/Charge") in decided
    assert ("deny", "/contacts/c-1") in decided
    assert (run.folder / ".shop" / "crm.key").read_text().strip() not in said


def test_orders_has_no_code_of_ours() -> None:
    """But for what protoc made of its protos."""
    text = (EXAMPLES / "mesh" / "orders.py").read_text()
    assert "caracal_grpc" not in text
    text = (EXAMPLES / "mesh" / "crm.py").read_text()
    assert "caracal" not in text.replace("examples", "")
