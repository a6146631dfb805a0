"""`keys`: the signing keys of a zone, and what they are sealed under."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, Target, ZoneOption, resolve
from caracal_grpc.cli.errors import CliError, ExitCode, usage
from caracal_grpc.cli.terminal.bare import show_help

keys = typer.Typer(
    callback=show_help,
    invoke_without_command=True,
    help="List, rotate and end the signing keys of a zone; seal them anew.",
)

_COLUMNS: Final = ("key", "state", "published", "signs from", "until", "kek")
_TIMES: Final = ("create_time", "activate_time", "retire_time")

KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="The key, key_….")]


@keys.command("list")
def list_keys(
    jwks: Annotated[bool, typer.Option("--jwks", help="Print the RFC 7517 key set.")] = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """List the keys with their states, newest first; with --jwks what verifiers need."""
    from caracal_grpc.cli.terminal.output import print_json, print_table

    target = resolve(profile, zone)
    if jwks:
        key_set = _call(target, "GetKeySet")["key_set"]
        print_json({"keys": key_set["keys"]})
        return
    listed = _call(target, "ListKeys")["keys"]
    if json:
        print_json({"keys": listed})
    else:
        print_table(_COLUMNS, map(_row, listed), f"zone {target.zone} has no keys")


@keys.command("rotate")
def rotate_key(
    profile: ProfileOption = None, zone: ZoneOption = None, json: JsonOption = False
) -> None:
    """Publish a new key now; it signs once every consumer knows it."""
    from caracal_grpc.cli.terminal.output import print_json, print_line

    target = resolve(profile, zone)
    rotated = _call(target, "RotateKey")
    if json:
        print_json(rotated)
        return
    key = rotated["key"]
    print_line(f"published {key['public']['kid']}; it signs from {key['activate_time']} on")
    print_line("the key before it goes on verifying until what it signed has expired")


@keys.command("retire")
def retire_key(
    key: KeyArgument,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """End a key of which nothing is alive any more, or that has not signed yet."""
    from caracal_grpc.cli.terminal.output import print_json, print_line

    retired = _call(resolve(profile, zone), "RetireKey", kid=key)
    if json:
        print_json(retired)
    else:
        print_line(f"retired {key}; its private half is destroyed")


@keys.command("compromise")
def compromise_key(
    key: KeyArgument,
    reason: Annotated[str, typer.Option(help="Why, for the ledger.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for the key again.")] = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """End a key that somebody else may have, with everything that it signed, at every edge."""
    from caracal_grpc.cli.terminal.output import print_json, print_line

    target = resolve(profile, zone)
    if not yes:
        _require_typed(target, key)
    ended = _call(target, "CompromiseKey", kid=key, reason=reason)
    if json:
        print_json(ended)
        return
    print_line(f"everything that {key} signed is dead, as of revision {ended['revision']}")
    if ended["successor"]:
        print_line(f"{ended['successor']['public']['kid']} signs instead")


@keys.command("reseal")
def reseal_keys(
    everywhere: Annotated[
        bool, typer.Option("--all", help="The keys of every zone; needs an operator's profile.")
    ] = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Seal all keys and secrets anew under the key-encryption key that the authority runs with."""
    from caracal_grpc.cli.terminal.output import print_json, print_line

    if everywhere and zone is not None:
        raise usage("--all is every zone; leave out --zone")
    target = resolve(profile, zone)
    done = _call(target, "ResealKeys", zone="" if everywhere else target.zone)
    if json:
        print_json(done)
        return
    print_line(
        f"sealed {done['resealed']} anew, {done['unchanged']} were already; the key is "
        f"{done['kek_id']}"
    )


def _require_typed(target: Target, key: str) -> None:
    """Whoever reads what this does types the key again; a script says --yes."""
    from caracal_grpc.cli.terminal.questions import typed

    dies = f"Everything that {key} signed in zone {target.zone} dies at once."
    if typed(f"{dies}\nType the key to go on: ") != key:
        raise CliError(ExitCode.REFUSED, "nothing is ended; type the key, or use --yes")


def _row(key: dict[str, Any]) -> list[Any]:
    state = "compromised" if key["compromised"] else key["state"]
    times = (key[name] for name in _TIMES)
    return [key["public"]["kid"], state, *times, key["kek_id"] or "destroyed"]


def _call(target: Target, method: str, **fields: Any) -> dict[str, Any]:
    from caracal_grpc.cli.connection import ask
    from caracal_grpc.cli.terminal.view import view
    from caracal_grpc.v1 import key_service_pb2
    from caracal_grpc.v1.key_service_pb2_grpc import KeyServiceStub

    request = getattr(key_service_pb2, f"{method}Request")(**{"zone": target.zone, **fields})
    return view(ask(target, KeyServiceStub, method, request))
