"""`policy bundle`: a version in the form that OPA servers load."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, Target, ZoneOption, resolve
from caracal_grpc.cli.errors import CliError, ExitCode, usage

if TYPE_CHECKING:
    from caracal_grpc.policy.bundle import Bundle


def bundle(
    version: Annotated[
        str, typer.Argument(metavar="[VERSION]", help="Default: the active one.")
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The file to write. Default: ZONE-VERSION.tar.gz."),
    ] = None,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Write a version as a bundle for the OPA servers of an authority whose engine is opa."""
    from caracal_grpc.cli.terminal.output import print_json, print_line
    from caracal_grpc.policy.opa_bundle import opa_bundle

    target = resolve(profile, zone)
    made = _read(target, version)
    path = out or Path(f"{target.zone}-{made.version.replace(':', '-')}.tar.gz")
    _write(path, opa_bundle(made))
    if json:
        print_json({"version": made.version, "file": str(path)})
    else:
        print_line(f"wrote {made.version} to {path}; opa run --server --bundle {path}")


def _read(target: Target, version: str) -> Bundle:
    """What the authority holds as `version`, made here; raises `CliError` unless it is the same."""
    from caracal_grpc.cli.connection import ask
    from caracal_grpc.services import zone_parse
    from caracal_grpc.v1.policy_service_pb2 import PolicyServiceGetRequest
    from caracal_grpc.v1.policy_service_pb2_grpc import PolicyServiceStub

    request = PolicyServiceGetRequest(zone=target.zone, version=version)
    found = ask(target, PolicyServiceStub, "Get", request)
    made = zone_parse.policy("policy", found.policy).bundle()
    if made.version != found.version.version:
        text = f"{found.version.version} is {made.version} here; use the release of the authority"
        raise CliError(ExitCode.FAULT, text)
    return made


def _write(path: Path, content: bytes) -> None:
    """Writes the whole of it or nothing: a server may be watching the file."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise usage(f"{path} cannot be written: {error.strerror}") from error
