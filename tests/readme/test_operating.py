"""The operator's steps of the README, pasted one after the other, each ending in its proof."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.readme.desk import APPLY, Desk, desk
from tests.readme.text import README, blocks

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
    "caracal-grpc revoke": "",
    "caracal-grpc audit export": "",
}
"""What the first command of a step is, and a word of what the step says."""


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Somebody with an authority of minute 0 and the operator's profile."""
    with desk(tmp_path_factory.mktemp("operating")) as made:
        yield made


def test_steps_prove_what_they_say(operator: Desk) -> None:
    """Every step ends well, in the order in which they are shown."""
    assert len(STEPS) == len(PROVEN)
    for step, (first, word) in zip(STEPS, PROVEN.items(), strict=True):
        assert step.startswith(first), step
        said = operator.paste(ACTIVATE, PROFILE, step)
        assert word in said, said
