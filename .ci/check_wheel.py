"""Checks that a wheel ships what git has of our package, all of it and nothing else."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {
    "caracal_grpc": "caracal_grpc",
    "examples": "caracal_grpc/examples",
    "interceptors": "caracal_grpc/interceptors",
    "proto": "caracal_grpc/proto",
}
"""Each folder that is shipped, and where it is in the wheel."""


def expected() -> set[str]:
    """The names in the wheel of all files that git has of these folders."""
    command = ["git", "ls-files", *FOLDERS]
    listed = subprocess.check_output(command, cwd=ROOT, text=True)  # noqa: S603 - all ours
    parts = (name.partition("/") for name in listed.splitlines())
    return {f"{FOLDERS[folder]}/{rest}" for folder, _, rest in parts}


def problems(names: list[str]) -> list[str]:
    """What is missing, and what is shipped that git does not have."""
    shipped = {name for name in names if ".dist-info/" not in name}
    wanted = expected()
    return [
        *(f"lacks {name}" for name in sorted(wanted - shipped)),
        *(f"ships {name}" for name in sorted(shipped - wanted)),
    ]


if __name__ == "__main__":
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        found = problems(wheel.namelist())
    print("\n".join(found) or "the wheel is whole")
    sys.exit(bool(found))
