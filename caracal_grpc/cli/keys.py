"""`keys`: the signing keys of a zone."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from caracal_grpc.cli.bare import show_help
from caracal_grpc.cli.context import JsonOption, ProfileOption, Target, ZoneOption, resolve

keys = typer.Typer(
    callback=show_help,
    invoke_without_command=True,
    help="List and rotate the signing keys of a zone.",
)

_COLUMNS: Final = ("key", "state", "published", "signs from", "until")
_TIMES: Final = ("create_time", "activate_time", "retire_time")


@keys.command("list")
def list_keys(
    jwks: Annotated[bool, typer.Option("--jwks", help="Print the RFC 7517 key set.")] = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """List the keys with their states, newest first; with --jwks what verifiers need."""
    from caracal_grpc.cli.output import print_json, print_table

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
    """Publish a new key now; it signs after the zone's key_publish_seconds."""
    from caracal_grpc.cli.output import print_json, print_line

    target = resolve(profile, zone)
    rotated = _call(target, "RotateKey")
    if json:
        print_json(rotated)
        return
    key = rotated["key"]
    print_line(f"published {key['public']['kid']}; it signs from {key['activate_time']} on")
    print_line("the key before it goes on verifying until what it signed has expired")


def _row(key: dict[str, Any]) -> list[Any]:
    return [key["public"]["kid"], key["state"], *(key[name] for name in _TIMES)]


def _call(target: Target, method: str) -> dict[str, Any]:
    from caracal_grpc.cli.connection import ask
    from caracal_grpc.cli.view import view
    from caracal_grpc.v1 import key_service_pb2
    from caracal_grpc.v1.key_service_pb2_grpc import KeyServiceStub

    request = getattr(key_service_pb2, f"{method}Request")(zone=target.zone)
    return view(ask(target, KeyServiceStub, method, request))
