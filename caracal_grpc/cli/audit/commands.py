"""`audit`: reads the ledger, and proves it."""

from __future__ import annotations

import typer

from caracal_grpc.cli.audit.explain import explain
from caracal_grpc.cli.audit.export import export
from caracal_grpc.cli.audit.search import search
from caracal_grpc.cli.audit.verify import verify
from caracal_grpc.cli.terminal.bare import show_help

audit = typer.Typer(
    callback=show_help,
    invoke_without_command=True,
    help="Search, explain, export and verify the record of decisions.",
)
for _command in (search, explain, export, verify):
    audit.command()(_command)
