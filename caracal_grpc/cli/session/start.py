"""`session start`: a session below one of yours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, ZoneOption, resolve
from caracal_grpc.cli.session import calls
from caracal_grpc.cli.session.view import print_change
from caracal_grpc.cli.terminal.options import MAX_LIFE
from caracal_grpc.cli.token_file import read_token


def start_session(
    parent: Annotated[
        str | None, typer.Option(help="The session above it. Default: your standing one.")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="A label for policy; repeat for more.")
    ] = None,
    ceiling: Annotated[
        list[str] | None,
        typer.Option(help="RESOURCE=SCOPE,SCOPE that it can reach at most; repeat for more."),
    ] = None,
    kind: Annotated[
        calls.Kind, typer.Option(help="A task ends after its life, a service lives on.")
    ] = calls.Kind.TASK,
    ttl: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MAX_LIFE,
            help="Life in seconds. Default: 3600 for a task; a service ends with its lease only.",
        ),
    ] = None,
    lease: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MAX_LIFE,
            help="Seconds that a service lives without a heartbeat. Default: 120.",
        ),
    ] = None,
    id_token_file: Annotated[
        Path | None,
        typer.Option(help="File with the ID token of the user that it speaks for; - reads stdin."),
    ] = None,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Start a session below one of yours, never wider and never longer than that one."""
    target = resolve(profile, zone)
    token = read_token("--id-token-file", id_token_file, "an ID token") if id_token_file else ""
    wanted = calls.Wanted(parent or "", label or [], ceiling or [], ttl, kind, lease, token)
    print_change(calls.start_session(target, wanted), json)
