"""A ledger that somebody else edits while an authority runs on it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_EDIT = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=10) as file:
    changed = file.execute(sys.argv[2]).rowcount
file.close()
print(changed)
"""


def edit_from_outside(ledger: Path, statement: str) -> int:
    """Runs one statement on a SQLite file in a process of its own; how many rows it changed."""
    done = subprocess.run(
        [sys.executable, "-c", _EDIT, str(ledger), statement],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return int(done.stdout)
