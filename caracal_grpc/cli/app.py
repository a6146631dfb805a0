"""The commands, in the order in which somebody meets them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from caracal_grpc.cli.approval.commands import approvals
from caracal_grpc.cli.audit.commands import audit
from caracal_grpc.cli.backup.commands import backup_group
from caracal_grpc.cli.declared.apply import apply
from caracal_grpc.cli.declared.diff import diff
from caracal_grpc.cli.declared.export import export
from caracal_grpc.cli.declared.plan import plan
from caracal_grpc.cli.declared.schema import schema
from caracal_grpc.cli.delegation.commands import delegations
from caracal_grpc.cli.demo import demo
from caracal_grpc.cli.doctor import doctor
from caracal_grpc.cli.errors import MEANINGS
from caracal_grpc.cli.exchange import exchange
from caracal_grpc.cli.exit_codes import exit_codes
from caracal_grpc.cli.init import init
from caracal_grpc.cli.keys import keys
from caracal_grpc.cli.mesh.commands import mesh
from caracal_grpc.cli.objects.applications import applications
from caracal_grpc.cli.objects.credentials import credentials
from caracal_grpc.cli.objects.resources import resources
from caracal_grpc.cli.objects.zones import zones
from caracal_grpc.cli.policy.commands import policies
from caracal_grpc.cli.profile.commands import profiles
from caracal_grpc.cli.profile.login import login, logout
from caracal_grpc.cli.profile.whoami import whoami
from caracal_grpc.cli.revocation.revoke import revoke
from caracal_grpc.cli.rules.commands import rules
from caracal_grpc.cli.serving.dev import dev
from caracal_grpc.cli.serving.serve import serve_command
from caracal_grpc.cli.session.commands import sessions
from caracal_grpc.cli.session.tree import tree
from caracal_grpc.cli.terminal.bare import show_help
from caracal_grpc.cli.upstream.commands import upstreams
from caracal_grpc.cli.version import version

_EPILOG = "Exit codes: " + "; ".join(f"{int(code)} {text}" for code, text in MEANINGS.items())

app = typer.Typer(
    name="caracal-grpc",
    help="The authority service for gRPC systems.",
    epilog=_EPILOG,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo)
app.command()(dev)
app.command("serve")(serve_command(sys.argv[1:]))
app.command()(init)
app.command()(login)
app.command()(whoami)
app.command()(logout)
app.command()(doctor)
app.add_typer(profiles, name="profile")
app.command()(plan)
app.command()(apply)
app.command()(diff)
app.command()(export)
app.command()(schema)
app.command()(exchange)
app.command()(revoke)
app.add_typer(sessions, name="session")
app.add_typer(delegations, name="delegation")
app.add_typer(approvals, name="approval")
app.add_typer(policies, name="policy")
app.add_typer(zones, name="zone")
app.add_typer(applications, name="application")
app.add_typer(credentials, name="credential")
app.add_typer(resources, name="resource")
app.add_typer(upstreams, name="upstream")
app.command()(tree)
app.add_typer(keys, name="keys")
app.add_typer(audit, name="audit")
app.add_typer(backup_group(sys.argv[1:]), name="backup")
app.add_typer(rules, name="rules")
app.add_typer(mesh, name="mesh")
app.command("exit-codes")(exit_codes)
app.command()(version)


def _version(wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


@app.callback(invoke_without_command=True)
def options(
    context: typer.Context,
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """The authority service for gRPC systems: mandates, guards and a provable record."""
    if not show_version:
        show_help(context)
