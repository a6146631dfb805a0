"""The ports that examples and the README name, moved to free ones: others may have them."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

SUFFIXES = frozenset({".py", ".yaml", ".md"})


class Ports:
    """A free port of this machine for each that is named."""

    def __init__(self, *named: str) -> None:
        with ExitStack() as held:
            found = [held.enter_context(socket.socket()) for _ in named]
            for each in found:
                each.bind(("127.0.0.1", 0))
            free = [str(each.getsockname()[1]) for each in found]
        self._free = dict(zip(named, free, strict=True))

    def __getitem__(self, named: str) -> str:
        return self._free[named]

    def moved(self, text: str) -> str:
        """`text` with the free ports."""
        for named, free in self._free.items():
            text = text.replace(f"127.0.0.1:{named}", f"127.0.0.1:{free}")
        return text

    def move(self, folder: Path) -> None:
        """Moves them in all examples of `folder`."""
        for path in (each for each in folder.rglob("*") if each.suffix in SUFFIXES):
            path.write_text(self.moved(path.read_text()))
