"""The zone of the shop in a running authority, and the programs that act in it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

from tests.examples.processes import CLI, SHOP, Run, line


@dataclass(frozen=True)
class Zone:
    """A running authority in which the zone of the shop is declared."""

    run: Run
    authority: subprocess.Popen[str]
    applied: dict[str, object]

    def caracal(self, *arguments: str) -> str:
        """The command line with the operator's profile."""
        return self.run.run(*CLI, *arguments, CARACAL_PROFILE="dev/operator.json")

    def service(self, name: str, **settings: str) -> tuple[subprocess.Popen[str], str]:
        """A service of the shop on a free port, and its address."""
        listen = {f"SHOP_{name.upper()}": "127.0.0.1:0"}
        process = self.script(name, **listen, **settings)
        return process, line(process).split()[-1]

    def script(self, name: str, **settings: str) -> subprocess.Popen[str]:
        """One of the programs of the shop."""
        profile = {"CARACAL_PROFILE": f"dev/shop-{name}.json"}
        return self.run.start(sys.executable, str(SHOP / f"{name}.py"), **profile, **settings)
