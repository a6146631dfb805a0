"""The fifteen minutes of the README, pasted step by step."""

from __future__ import annotations

import json

import pytest

from tests.examples.ports import Ports
from tests.readme.desk import APPLY, WAIT, Desk
from tests.readme.text import README, ROOT, block, blocks

CHAPTER = README.partition("## Guard a service that you have")[2].partition("\n## ")[0]
CHECK = block("sh", "rules check --module")
RUN = block("sh", "python server.py &")
STOP = block("sh", "caracal-grpc revoke --zone hello")
TEST = block("sh", "pytest test_server.py")

GRANT = 'sed -i "s/scopes: .greeter:hello]$/scopes: [greeter:hello, greeter:again]/" zone.yaml\n'


def test_rules_are_complete(newcomer: Desk) -> None:
    """The check passes, on the very files."""
    assert "every one has a rule" in newcomer.paste(APPLY, CHECK)


def test_calls_pass_when_granted_until_revoked(newcomer: Desk, ports: Ports) -> None:
    """The first run is refused one call, the second none, the third all; nothing restarts."""
    *before, server, client = RUN.splitlines(keepends=True)
    apply = APPLY.splitlines(keepends=True)[-1]
    said = newcomer.paste(
        APPLY, *before, server, "served=$!\n", WAIT.format(ports["7441"]), client,
        GRANT, apply, client, STOP, client, "kill $served\n",
    )  # fmt: skip
    caller = json.loads((newcomer.profiles / "hello-caller.json").read_text())["application_id"]
    assert said.count(f"hello world, from {caller}") == 2
    assert said.count("hello world, 3") == 1
    assert said.count("refused: POLICY_DENIED") == 1
    assert said.count("refused: CLIENT_AUTH_FAILED") == 1


def test_its_own_tests_pass(newcomer: Desk) -> None:
    """Those that the newcomer is shown."""
    assert "2 passed" in newcomer.paste(APPLY, TEST.replace("pytest", "pytest -p no:cacheprovider"))


@pytest.mark.parametrize("code", [code for code in blocks("python") if code in CHAPTER])
def test_shown_code_runs(code: str) -> None:
    """It is an excerpt of what was pasted above."""
    files = (ROOT / "examples" / "greeter" / name for name in ("server.py", "client.py"))
    assert any(code in file.read_text() for file in files)
