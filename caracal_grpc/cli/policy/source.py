"""A policy as a command line names it: a version, a manifest, a folder of them, or Rego files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from caracal_grpc.cli.context import Target, resolve
from caracal_grpc.cli.errors import CliError, ExitCode, usage

if TYPE_CHECKING:
    from caracal_grpc.v1.zone_pb2 import Policy

_VERSION: Final = re.compile(r"sha256:[0-9a-f]{16}")
_MODULE: Final = ".rego"
_TESTS: Final = "_test.rego"

OfZoneOption = Annotated[
    str | None,
    typer.Option(
        "--zone",
        help="Zone to act on. Default: that of the manifest, else the profile's.",
        show_default=False,
    ),
]


def is_version(named: str) -> bool:
    """Whether it is the name of a version, and no file."""
    return _VERSION.fullmatch(named) is not None


def candidate(
    named: Sequence[str], profile: str | None, zone: str | None
) -> tuple[Target, dict[str, Any]]:
    """Whom to ask, and the fields `version` or `policy` of a request about what is named."""
    if len(named) == 1 and is_version(named[0]):
        return resolve(profile, zone), {"version": named[0]}
    if not named:
        return resolve(profile, zone), {}
    target, policy = read_policy([Path(each) for each in named], profile, zone)
    return target, {"policy": policy}


def read_policy(
    paths: Sequence[Path], profile: str | None, zone: str | None
) -> tuple[Target, Policy]:
    """What a manifest, a folder of manifests, or `*.rego` files declare, and for whom to ask.

    Without `zone` a manifest is of the zone that it names, as it is to an apply. A file
    `*_test.rego` holds tests. Raises `CliError` naming what cannot be read.
    """
    modules = [each for each in paths if each.suffix == _MODULE]
    if modules and len(modules) == len(paths):
        return resolve(profile, zone), _of_modules(modules)
    if len(paths) != 1:
        raise usage("a policy is one manifest, one folder of manifests, or *.rego files")
    return _declared(paths[0], profile, zone)


def _declared(path: Path, profile: str | None, zone: str | None) -> tuple[Target, Policy]:
    """The policy of the one zone that is declared, which `zone` may try too, or of that zone."""
    from caracal_grpc.cli.manifest import Manifest

    found = Manifest.read_all(path)
    target = resolve(profile, found[0].zone if zone is None and len(found) == 1 else zone)
    named = found if len(found) == 1 else [each for each in found if each.zone == target.zone]
    if not named:
        raise usage(f"no manifest in {path} is of zone {target.zone}")
    message = named[0].message()
    if not message.HasField("policy"):
        raise usage(f"{path} declares no policy, neither grants nor modules")
    return target, message.policy


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
