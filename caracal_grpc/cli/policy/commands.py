"""`policy`: the life of a zone's policies, from the first check to the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, ZoneOption, resolve
from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.cli.policy.activation import activate, rollback, status
from caracal_grpc.cli.policy.bundle import bundle
from caracal_grpc.cli.policy.calls import ask_policies, list_versions
from caracal_grpc.cli.policy.shadow import shadow
from caracal_grpc.cli.policy.source import OfZoneOption
from caracal_grpc.cli.policy.trials import replay_policy, simulate
from caracal_grpc.cli.terminal.bare import show_help

policies = typer.Typer(
    callback=show_help,
    invoke_without_command=True,
    help="Check, make, try out, activate and take back policies.",
)

PathsArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...",
        help="A manifest, a folder of them, or *.rego files (*_test.rego: tests).",
    ),
]


@policies.command("validate")
def validate(
    files: PathsArgument,
    profile: ProfileOption = None,
    zone: OfZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Say what is wrong with a policy, and run its tests; ends with 6 when it cannot be used."""
    from caracal_grpc.cli.policy.source import read_policy
    from caracal_grpc.cli.policy.view import FINDINGS, finding_row, test_rows
    from caracal_grpc.cli.terminal.output import print_json, print_line, print_table

    target, policy = read_policy(files, profile, zone)
    found = ask_policies(target, "Validate", policy=policy)
    if json:
        print_json(found)
    else:
        rows = [*map(finding_row, found["findings"]), *test_rows(found["tests"])]
        print_table(FINDINGS, rows, "nothing was found")
        if found["valid"]:
            print_line(f"{len(found['tests'])} tests hold; it would be {found['version']}")
    if not found["valid"]:
        raise CliError(ExitCode.FOUND, "no version can be made of this policy")


@policies.command("create")
def create(
    files: PathsArgument,
    description: Annotated[str, typer.Option(help="What it is for, in a line.")] = "",
    profile: ProfileOption = None,
    zone: OfZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Make a version of a policy. It decides nothing until it is activated."""
    from caracal_grpc.cli.policy.source import read_policy
    from caracal_grpc.cli.terminal.output import print_json, print_line

    target, policy = read_policy(files, profile, zone)
    made = ask_policies(target, "Create", policy=policy, description=description)
    if json:
        print_json(made)
    elif made["audit_id"]:
        print_line(f"made {made['version']['version']}, recorded as {made['audit_id']}")
    else:
        print_line(f"{made['version']['version']} was made before")


@policies.command("list")
def list_policies(
    limit: Annotated[int, typer.Option(min=1, help="Most versions to list.")] = 100,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """List versions, the newest first."""
    from caracal_grpc.cli.policy.view import VERSIONS, version_row
    from caracal_grpc.cli.terminal.output import print_json, print_table

    target = resolve(profile, zone)
    found = list_versions(target, limit)
    if json:
        print_json({"versions": found})
    else:
        print_table(VERSIONS, map(version_row, found), f"zone {target.zone} has no policy")


@policies.command("show")
def show(
    version: Annotated[
        str, typer.Argument(metavar="[VERSION]", help="Default: the active one.")
    ] = "",
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Show a version with its grants and modules."""
    from caracal_grpc.cli.terminal.output import print_json

    found = ask_policies(resolve(profile, zone), "Get", version=version)
    if json:
        print_json(found)
    else:
        _show(found["version"], found["policy"])


@policies.command("delete")
def delete(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="The version, sha256:….")],
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Remove a version that nothing uses."""
    from caracal_grpc.cli.terminal.output import print_json, print_line

    gone = ask_policies(resolve(profile, zone), "Delete", version=version)
    if json:
        print_json(gone)
    else:
        print_line(f"deleted {version}, recorded as {gone['audit_id']}")


policies.command("activate")(activate)
policies.command("rollback")(rollback)
policies.command("status")(status)
policies.command("bundle")(bundle)
policies.command("simulate")(simulate)
policies.command("replay")(replay_policy)
policies.add_typer(shadow, name="shadow")


def _show(version: dict[str, Any], policy: dict[str, Any]) -> None:
    from caracal_grpc.cli.policy.view import VERSIONS, version_row
    from caracal_grpc.cli.terminal.output import print_facts, print_line, print_table

    print_facts(zip((each or "used as" for each in VERSIONS), version_row(version), strict=True))
    rows = ([each["application"], each["resource"], each["scopes"]] for each in policy["grants"])
    if policy["grants"]:
        print_table(("application", "resource", "scopes"), rows, "")
    for kind in ("modules", "tests"):
        for module in policy[kind]:
            print_line(f"\n# {module['name']}")
            print_line(module["source"].rstrip("\n"))
