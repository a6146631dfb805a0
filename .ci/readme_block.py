"""Prints a named code block of the README: the one after `<!-- block: NAME -->`."""

import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"


def block(name: str) -> str:
    """The text of the block; exits when there is none, so that a renamed block is noticed."""
    pattern = rf"<!-- block: {re.escape(name)} -->\s*```\w*\n(.*?)```"
    found = re.search(pattern, README.read_text(), re.DOTALL)
    if found is None:
        sys.exit(f"README.md has no block named {name}")
    return found[1]


if __name__ == "__main__":
    sys.stdout.write(block(sys.argv[1]))
