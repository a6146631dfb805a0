"""Help and version."""

from __future__ import annotations

import subprocess
import sys

import pytest

from caracal_grpc import __version__
from tests.cli.support import caracal

TALKING = (
    ["plan"],
    ["apply"],
    ["diff"],
    ["export"],
    ["exchange"],
    ["revoke"],
    ["session"],
    ["session", "list"],
    ["session", "start"],
    ["session", "get"],
    ["session", "terminate"],
    ["session", "suspend"],
    ["session", "resume"],
    ["session", "heartbeat"],
    ["session", "take-over"],
    ["delegation"],
    ["delegation", "create"],
    ["delegation", "list"],
    ["delegation", "get"],
    ["delegation", "revoke"],
    ["delegation", "impact"],
    ["approval", "list"],
    ["approval", "get"],
    ["approval", "wait"],
    ["approval", "approve"],
    ["approval", "reject"],
    ["approval", "release"],
    ["policy", "validate"],
    ["policy", "create"],
    ["policy", "list"],
    ["policy", "show"],
    ["policy", "delete"],
    ["policy", "activate"],
    ["policy", "rollback"],
    ["policy", "status"],
    ["policy", "simulate"],
    ["policy", "replay"],
    ["policy", "shadow", "set"],
    ["policy", "shadow", "show"],
    ["policy", "shadow", "end"],
    ["application", "list"],
    ["application", "get"],
    ["application", "create"],
    ["application", "update"],
    ["application", "profile"],
    ["application", "delete"],
    ["credential", "list"],
    ["credential", "create"],
    ["credential", "delete"],
    ["resource", "list"],
    ["resource", "get"],
    ["resource", "create"],
    ["resource", "update"],
    ["resource", "delete"],
    ["upstream", "list"],
    ["upstream", "get"],
    ["upstream", "create"],
    ["upstream", "update"],
    ["upstream", "delete"],
    ["tree"],
    ["doctor"],
    ["keys", "list"],
    ["keys", "rotate"],
    ["audit", "search"],
    ["audit", "explain"],
    ["audit", "export"],
    ["audit", "integrity"],
    ["rules", "check"],
)


def test_version_is_printed_by_option_and_command() -> None:
    """The same line."""
    assert caracal("--version").out == f"caracal-grpc {__version__}\n"
    assert caracal("version").out == f"caracal-grpc {__version__}\n"


def test_help_names_every_command_and_the_exit_codes() -> None:
    """One screen to start from."""
    shown = caracal("--help").out
    for command in ("demo", "dev", "serve", "apply", "exchange", "revoke", "session", "audit"):
        assert f"  {command} " in shown
    assert "Exit codes: 0 done" in shown


@pytest.mark.parametrize("command", [[], ["keys"], ["audit"], ["rules"]], ids=" ".join)
def test_a_name_of_several_commands_alone_shows_its_help(command: list[str]) -> None:
    """As help, with its lines, on stderr: nothing was done."""
    ended = caracal(*command)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == caracal(*command, "--help").out


@pytest.mark.parametrize("command", TALKING, ids=" ".join)
def test_who_talks_to_the_authority_takes_profile_and_zone(command: list[str]) -> None:
    """After the name of the command, and a form of output for programs."""
    from typer.testing import CliRunner

    from caracal_grpc.cli.app import app

    shown = CliRunner().invoke(app, [*command, "--help"]).output
    for option in ("--profile", "--zone", "--json"):
        assert option in shown


def test_help_loads_no_heavy_room() -> None:
    """Neither gRPC nor a store, a ledger or a policy engine is needed to show it."""
    program = (
        "import sys; import caracal_grpc.cli.app;"
        "print(*({'grpc', 'sqlalchemy', 'etcd3aio', 'regorus', 'jose'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.split() == []
