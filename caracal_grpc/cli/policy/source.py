"""A policy as a command line names it: a version, a manifest, a folder of them, or Rego files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from caracal_grpc.cli.errors import CliError, ExitCode, usage

if TYPE_CHECKING:
    from caracal_grpc.v1.zone_pb2 import Policy

_VERSION: Final = re.compile(r"sha256:[0-9a-f]{16}")
_MODULE: Final = ".rego"
_TESTS: Final = "_test.rego"


def is_version(named: str) -> bool:
    """Whether it is the name of a version, and no file."""
    return _VERSION.fullmatch(named) is not None


def candidate(named: Sequence[str], zone: str) -> dict[str, Any]:
    """The fields `version` or `policy` of a request about what the command line names."""
    if len(named) == 1 and is_version(named[0]):
        return {"version": named[0]}
    return {"policy": read_policy([Path(each) for each in named], zone)} if named else {}


def read_policy(paths: Sequence[Path], zone: str) -> Policy:
    """What a manifest, a folder of manifests, or `*.rego` files declare for `zone`.

    A file `*_test.rego` holds tests. Raises `CliError` naming what cannot be read.
    """
    modules = [each for each in paths if each.suffix == _MODULE]
    if modules and len(modules) == len(paths):
        return _of_modules(modules)
    if len(paths) != 1:
        raise usage("a policy is one manifest, one folder of manifests, or *.rego files")
    return _declared(paths[0], zone)


def _declared(path: Path, zone: str) -> Policy:
    """The policy of the one zone that is declared, whatever it is called, or of this one."""
    from caracal_grpc.cli.manifest import Manifest

    found = Manifest.read_all(path)
    named = found if len(found) == 1 else [each for each in found if each.zone == zone]
    if not named:
        raise usage(f"no manifest in {path} is of zone {zone}")
    message = named[0].message()
    if not message.HasField("policy"):
        raise usage(f"{path} declares no policy, neither grants nor modules")
    return message.policy


def _of_modules(paths: Sequence[Path]) -> Policy:
    from caracal_grpc.v1.zone_pb2 import Policy, PolicyModule

    names = [each.name for each in paths]
    if len(set(names)) != len(names):
        raise usage("modules must have different names, whatever folders they are in")
    policy = Policy()
    for path in paths:
        into = policy.tests if path.name.endswith(_TESTS) else policy.modules
        into.append(PolicyModule(name=path.name, source=_source(path)))
    if not policy.modules:
        raise usage("there are tests only; name the modules that they test, too")
    return policy


def _source(path: Path) -> str:
    from caracal_grpc.cli.manifest.modules import source_of

    try:
        return source_of(path)
    except (OSError, UnicodeDecodeError) as exc:
        raise CliError(ExitCode.USAGE, f"{path} cannot be read; it must be a rego file") from exc
    except ValueError as exc:
        raise CliError(ExitCode.USAGE, f"{exc}; make it smaller") from exc
