"""`audit`: reads the ledger, and proves it."""

from __future__ import annotations

import typer

from caracal_grpc.cli.audit.erase import erase
from caracal_grpc.cli.audit.explain import explain
from caracal_grpc.cli.audit.export import export
from caracal_grpc.cli.audit.hold import holds
from caracal_grpc.cli.audit.integrity import integrity
from caracal_grpc.cli.audit.prune import prune
from caracal_grpc.cli.audit.receipt import checkpoint, consistency, receipt
from caracal_grpc.cli.audit.search import search
from caracal_grpc.cli.audit.ship import ship
from caracal_grpc.cli.audit.tail import tail
from caracal_grpc.cli.audit.verify import verify
from caracal_grpc.cli.audit.witness import witness
from caracal_grpc.cli.terminal.bare import show_help

audit = typer.Typer(
    callback=show_help,
    invoke_without_command=True,
    help="Search, explain, export, verify, ship and prune the record of decisions.",
)
for _command in (search, tail, explain, export, verify, integrity, witness, ship, prune, erase):
    audit.command()(_command)
for _proof in (receipt, checkpoint, consistency):
    audit.command()(_proof)
audit.add_typer(holds, name="hold")
