"""The README and its code blocks."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)


def blocks(language: str) -> list[str]:
    """Every code block of a language."""
    return [text for name, text in BLOCKS if name == language]


def block(language: str, holding: str) -> str:
    """The one code block of a language that holds a text."""
    (found,) = (text for text in blocks(language) if holding in text)
    return found
