"""Measures that need a process of their own: what they fill or count must be theirs alone."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any


async def alone(module: str, *arguments: object) -> Any:
    """What `python -m tests.bench.<module>` prints: one line of JSON."""
    command = [sys.executable, "-m", f"tests.bench.{module}", *map(str, arguments)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command[1:])} ended with {process.returncode}")
    return json.loads(output)
