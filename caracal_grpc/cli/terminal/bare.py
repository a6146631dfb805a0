"""A name of several commands without one of them: its help."""

from __future__ import annotations

import typer

from caracal_grpc.cli.errors import ExitCode
from caracal_grpc.cli.terminal.output import note


def show_help(context: typer.Context) -> None:
    """Shows the help when no command follows: on stderr and wrong usage, for nothing was done."""
    if context.invoked_subcommand is None:
        note(context.get_help())
        raise typer.Exit(ExitCode.USAGE)
