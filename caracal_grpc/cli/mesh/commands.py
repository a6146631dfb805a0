"""`mesh`: answer an Envoy, and show beforehand what it will be told."""

from __future__ import annotations

import asyncio
import logging
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, ZoneOption
from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.cli.rules.options import (
    AgainstOption,
    ManifestOption,
    read_zone,
    resources_of,
)
from caracal_grpc.cli.terminal.bare import show_help

if TYPE_CHECKING:
    from caracal_grpc.cli.mesh.file import MeshFile
    from caracal_grpc.mesh.overview import Overview

mesh = typer.Typer(
    callback=show_help,
    invoke_without_command=True,
    help="Answer an Envoy beside your service: may this request go on, and with what.",
)

_STUBS: Final = "xds-protos"
"""What holds the messages of Envoy; the wheel of Envoy itself has a module of the same name."""

FileArgument = Annotated[
    Path, typer.Argument(metavar="MESH.YAML", help="The settings; see mesh schema.")
]


@mesh.command("serve")
def serve(
    file: FileArgument,
    json: Annotated[
        bool, typer.Option("--json", help="Print one line of JSON when ready; log in JSON lines.")
    ] = False,
) -> None:
    """Answer what the Envoy beside your service asks, until SIGTERM.

    It serves before it has heard from the authority, and refuses everything until then; the health
    service says SERVING once it judges.
    """
    opened = _opened(file)
    from caracal_grpc.cli.serving.startup import hold_log
    from caracal_grpc.cli.terminal.output import print_json, print_line
    from caracal_grpc.mesh.server import serve as run

    release = hold_log(json_lines=json, level=logging.INFO)

    def ready(address: str) -> None:
        release()
        if json:
            print_json({"mesh": address})
        else:
            print_line(f"answering on {address}; SIGTERM ends it")

    opened.checked(lambda: asyncio.run(run(opened.settings, ready)))


@mesh.command("check")
def check(
    file: FileArgument,
    manifest: ManifestOption = None,
    against_zone: AgainstOption = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Check the settings, and show what is asked of each method and route.

    Exit code 0, or 6 with a line for each finding: a method without a rule or with a half-written
    one, one that is public without its public_reason, a rule for a method that is not there, one
    that asks what no proxy can show, and, with -f or --against-zone, a scope or resource that the
    zone does not have. The profile and the files of tls that the settings name are not read.
    """
    opened = _opened(file)
    declared = resources_of(read_zone(manifest, against_zone, profile, zone))
    from caracal_grpc.mesh.overview import overview

    seen = opened.checked(lambda: overview(opened.settings, declared))
    _print_json(seen) if json else _print(seen)
    count = sum(len(each.findings) for each in seen)
    if count:
        text = "1 finding" if count == 1 else f"{count} findings"
        raise CliError(ExitCode.FOUND, f"{text} in {file}")


@mesh.command("schema")
def schema() -> None:
    """Print the JSON Schema of the settings, which describes each key; for editors and checks."""
    from caracal_grpc.cli.manifest.schema import schema_of, text_of
    from caracal_grpc.cli.terminal.output import print_line
    from caracal_grpc.settings.mesh import MeshSettings

    print_line(text_of(schema_of(MeshSettings, "The settings of caracal-grpc mesh")).rstrip("\n"))


def _opened(file: Path) -> MeshFile:
    """The file, once it is known that what it is for can be loaded at all."""
    try:
        metadata.distribution(_STUBS)
    except metadata.PackageNotFoundError as error:
        text = f"{_STUBS} is not installed, run: pip install 'caracal-grpc[mesh]'"
        raise CliError(ExitCode.USAGE, text) from error
    from caracal_grpc.cli.mesh.file import MeshFile

    return MeshFile(file)


def _print(seen: list[Overview]) -> None:
    from caracal_grpc.cli.terminal.output import print_line, print_table

    for each in seen:
        print_line(f"{each.way}:")
        for rows in (each.methods, each.routes):
            if rows:
                columns = [name.replace("_", " ") for name in rows[0]]
                print_table(columns, (list(row.values()) for row in rows), "")
    for finding in (finding for each in seen for finding in each.findings):
        print_line(str(finding))


def _print_json(seen: list[Overview]) -> None:
    from dataclasses import asdict

    from caracal_grpc.cli.terminal.output import print_json

    print_json({"ways": [asdict(each) for each in seen]})
