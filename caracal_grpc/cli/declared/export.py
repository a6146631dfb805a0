"""`export`: a zone as a manifest that, applied, changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, Target, ZoneOption, resolve

if TYPE_CHECKING:
    from caracal_grpc.v1 import zone_pb2


def export(
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="New folder for zone.yaml, with Rego modules in files beside it.",
            show_default=False,
        ),
    ] = None,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Print the state of a zone as a manifest that, applied, changes nothing. Never a secret."""
    from caracal_grpc.cli.manifest.layout import files_of_zone, write_folder
    from caracal_grpc.cli.manifest.written import text_of, value_of
    from caracal_grpc.cli.terminal.output import print_json, print_line

    target = resolve(profile, zone)
    present = present_zone(target)
    if output is None:
        value = value_of(present)
        return print_json(value) if json else print_line(text_of(value).rstrip("\n"))
    written = [str(each) for each in write_folder(output, files_of_zone(present))]
    if json:
        return print_json({"zone": target.zone, "files": written})
    for file in written:
        print_line(file)
    return None


def present_zone(target: Target) -> zone_pb2.Zone:
    """The state of a zone as the authority answers it."""
    from caracal_grpc.cli.connection import ask
    from caracal_grpc.v1.zone_service_pb2 import ZoneServiceGetRequest
    from caracal_grpc.v1.zone_service_pb2_grpc import ZoneServiceStub

    request = ZoneServiceGetRequest(zone=target.zone)
    found: zone_pb2.Zone = ask(target, ZoneServiceStub, "Get", request).zone
    return found
