"""`init`: a zone to start from, declared, applied and proven."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption


def init(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="FOLDER", help="Where to put it. Default: asks, a folder ZONE."),
    ] = None,
    zone: Annotated[str | None, typer.Option(help="Name of the zone.")] = None,
    service: Annotated[str | None, typer.Option(help="Name of the service to protect.")] = None,
    scopes: Annotated[
        str | None, typer.Option(help="What can be done with it: two scopes or more, with commas.")
    ] = None,
    caller: Annotated[str | None, typer.Option(help="Name of a program that calls it.")] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing: the defaults for all else.")
    ] = False,
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    """Write a starter zone with an example policy, apply it, and prove it by a real exchange.

    What is there already stays as it is: run it again to see what there is. The caller is granted
    the first of the scopes, and it is shown that it is refused another.
    """
    from caracal_grpc.cli.init.run import run
    from caracal_grpc.cli.init.wanted import ask

    place, wanted = ask(folder, zone, service, scopes, caller, defaults=yes)
    run(place, wanted, profile, as_json=json)
