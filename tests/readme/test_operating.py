"""The operator's steps of the README, pasted one after the other, each ending in its proof; and the
checklist, row by row.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from typing import Final

import pytest

from caracal_grpc.crypto.kek import Kek
from tests.backup.loss import Loss, nothing
from tests.examples.processes import line
from tests.readme.desk import APPLY, Desk, desk
from tests.readme.text import README, blocks
from tests.support.clock import FakeClock

CHAPTER = README.partition("## Operate it")[2].partition("\n## ")[0]
STEPS = [
    code
    for code in blocks("sh")
    if code in CHAPTER and "caracal-grpc serve" not in code and "backup create" not in code
]
PROFILE = next(line for line in APPLY.splitlines(keepends=True) if "CARACAL_PROFILE" in line)
ACTIVATE = APPLY.splitlines(keepends=True)[0]

PROVEN = {
    "caracal-grpc init": "refused",
    "caracal-grpc plan": "nothing to change in zone pay",
    "caracal-grpc credential create": "crd_",
    "caracal-grpc policy validate": "sha256:",
    "caracal-grpc keys rotate": "key_",
    "caracal-grpc revoke": "it holds from revision",
    "caracal-grpc audit export": "pay.ledger verifies: ",
}
"""What the first command of a step is, and a word of what the step says."""


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Somebody with an authority of minute 0 and the operator's profile."""
    with desk(tmp_path_factory.mktemp("operating")) as made:
        yield made


@pytest.fixture(scope="module")
def said(operator: Desk) -> list[str]:
    """What each step says, in the order in which they are shown; each ends well."""
    return [operator.paste(ACTIVATE, PROFILE, step) for step in STEPS]


def test_steps_prove_what_they_say(said: list[str]) -> None:
    """Every step has its proof."""
    assert len(STEPS) == len(PROVEN)
    for step, told, (first, word) in zip(STEPS, said, PROVEN.items(), strict=True):
        assert step.startswith(first), step
        assert word in told, told


ROWS: Final = re.findall(
    r"^\| ([^|]+) \| `(caracal-grpc [^`]+)`[^|]* \|$",
    CHAPTER.partition("**The checklist.**")[2],
    re.MULTILINE,
)
"""What is to be so, and the command that proves it."""

PREPARED: Final = """\
caracal-grpc export --zone caracal -o operators >&2
mkdir zones && cp -r pay zones/pay
caracal-grpc credential list --zone pay >&2
caracal-grpc audit checkpoint --zone pay --out pay.checkpoint 2> pay.key
rm pay.ledger && caracal-grpc audit export --zone pay pay.ledger >&2
"""
KEY: Final = "PAY_KEY=$(sed -n 's/^.*signed by //p' pay.key)\n"
EDGE: Final = """\
import asyncio
from pathlib import Path
from caracal_grpc.interceptors import connect

async def main():
    (profile,) = Path("pay/profiles").glob("*ledger.json")
    async with connect(profile) as edge:
        await edge.guard()
        await edge.ready()
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""

SHOWN: Final = {
    "doctor --strict": r"(?s)replicas.*signs since .* under [0-9a-f]{16}",
    "plan": "nothing to change in zone pay",
    "diff": r"\A\s*\Z",
    "policy replay": r"no difference: 0 of [1-9]\d* decisions differ",
    "policy status": r"sha256:[0-9a-f]{16} +loaded",
    "doctor --zone": "rotation is due in|follows in",
    "revoke": "applied: 1 of 1 edges",
    "approval list": "no approvals",
    "audit verify": "pay.ledger verifies: ",
    "backup verify": "whole",
}
"""What the commands of the rows begin with, in their order, and what each says."""


def test_every_row_of_the_checklist_proves_what_it_says(operator: Desk, said: list[str]) -> None:
    """Each ends well where all is as it should be, with a guard that hears of revocations."""
    assert said
    run = operator.run
    loss = Loss(run.folder, FakeClock(), Kek.generate())
    asyncio.run(loss.suffered(nothing))
    operator.paste(ACTIVATE, PROFILE, PREPARED)
    edge = run.start(sys.executable, "-c", EDGE)
    assert line(edge) == "ready"
    assert len(ROWS) == len(SHOWN)
    for (_, command), (first, shown) in zip(ROWS, SHOWN.items(), strict=True):
        assert command.startswith(f"caracal-grpc {first}"), command
        pasted = command.replace("/backups/2026-11-22", str(loss.folder / "backup"))
        told = operator.paste(ACTIVATE, PROFILE, KEY, f"({pasted}) 2>&1{_BUT.get(first, '')}")
        assert re.search(shown, told), told
    edge.terminate()
    edge.wait(20)


_BUT: Final = {"doctor --strict": " || test $? = 6"}
"""The etcd of `dev` may be of a release that is warned of, which ends a strict look with 6."""
