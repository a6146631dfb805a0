"""Prints pip constraints: each dependency at the lowest version that pyproject.toml admits.

python .ci/lowest.py [EXTRA ...]
"""

import re
import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def lowest(extras: list[str]) -> list[str]:
    """One constraint for each requirement; of two lower bounds the higher one holds."""
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    optional = project["optional-dependencies"]
    requirements = [*project["dependencies"], *(r for name in extras for r in optional[name])]
    bounds: dict[str, str] = {}
    for each in requirements:
        match = re.fullmatch(r"([A-Za-z0-9-]+)(\[.*\])?>=([^\s,]+).*", each)
        if match:
            bounds[match[1]] = max(bounds.get(match[1], ""), match[3], key=_order)
    return [f"{name}=={version}" for name, version in sorted(bounds.items())]


def _order(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


if __name__ == "__main__":
    print("\n".join(lowest(sys.argv[1:])))
