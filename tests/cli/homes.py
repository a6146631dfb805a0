"""Configuration homes with stored profiles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.cli.support import Ended, caracal


class Home:
    """A configuration home, and commands that use it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path / "caracal-grpc" / "profiles"

    def store(self, name: str, **values: Any) -> Path:
        """A stored profile."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return profile(self.folder / f"{name}.json", zone=name, **values)

    def run(self, *arguments: str | Path, **more: Any) -> Ended:
        """Runs a command here."""
        return caracal(*arguments, XDG_CONFIG_HOME=str(self.path), **more)


def profile(file: Path, **values: Any) -> Path:
    """A profile of an authority that is not there."""
    base = {
        "authority": "127.0.0.1:1",
        "zone": "shop",
        "issuer": "http://caracal.localhost/zones/shop",
        "application_id": "app_01h455vb4pex5vsknk084sn02q",
        "application_name": "agent",
        "client_secret": "never shown",
        "plaintext": True,
    }
    file.write_text(json.dumps({**base, **values}))
    file.chmod(0o600)
    return file
