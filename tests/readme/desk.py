"""A checkout, a home and terminals in it, where what the README shows is pasted."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.examples.processes import EXAMPLES, Run, line
from tests.readme.text import block

WAIT = "until (: < /dev/tcp/127.0.0.1/{}) 2>&-; do sleep 0.1; done\n"
"""Returns once somebody listens on a port."""

DEV, APPLY = block("sh", "caracal-grpc dev\n"), block("sh", "apply -f zone.yaml")


class Desk:
    """Terminals beside one in which `dev` runs, as the first step of the README starts it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        (run.folder / "examples").symlink_to(EXAMPLES)
        activate = run.folder / ".venv" / "bin" / "activate"
        activate.parent.mkdir(parents=True)
        activate.write_text(f"PATH={Path(sys.executable).parent}:$PATH\n")
        self._home = {"HOME": str(run.folder), "XDG_DATA_HOME": ""}
        self._dev = run.start(*shell(DEV.replace("dev\n", "dev --port 0\n")), **self._home)
        self.said = [line(self._dev)]
        while not self.said[-1].startswith("Ctrl-C"):
            self.said.append(line(self._dev))

    @property
    def profiles(self) -> Path:
        """Where the README finds them."""
        return self.run.folder / ".local/share/caracal-grpc/dev"

    def paste(self, *steps: str) -> str:
        """What `steps` say on stdout, pasted into one terminal one after the other."""
        return self.run.run(*shell("".join(steps)), **self._home)

    def end(self) -> None:
        """Ends the authority, which must end well."""
        self._dev.terminate()
        assert self._dev.wait(20) == 0


@contextmanager
def desk(folder: Path) -> Iterator[Desk]:
    """A desk in `folder`, and nothing left of it."""
    run = Run(folder)
    try:
        made = Desk(run)
        yield made
        made.end()
    finally:
        run.end()


def shell(text: str) -> tuple[str, ...]:
    """Bash, as strict as CI; its last command is what a signal ends."""
    before, _, last = text.rstrip().rpartition("\n")
    simple = last.startswith("caracal-grpc")
    return ("bash", "-euo", "pipefail", "-c", f"{before}\nexec {last}\n" if simple else text)
