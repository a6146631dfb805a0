"""`profile`: the profiles that are stored by name, and the one in use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from caracal_grpc.cli.context import JsonOption, choose, note_variable
from caracal_grpc.cli.terminal.bare import show_help
from caracal_grpc.core.errors import CaracalError

profiles = typer.Typer(
    callback=show_help,
    invoke_without_command=True,
    help="The profiles that you have stored, and which is in use.",
)

_COLUMNS: Final = ("", "name", "application", "zone", "authority", "")
_UNKNOWN: Final = {"application_id": "", "application_name": "", "zone": "", "authority": ""}

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The name it is stored by.")]


@profiles.command("list")
def list_profiles(json: JsonOption = False) -> None:
    """List them; a star is at the one in use. Needs no authority."""
    from caracal_grpc.cli.profile.store import ProfileStore
    from caracal_grpc.cli.terminal.output import print_json, print_table

    store = ProfileStore.of_user()
    current = store.current()
    found = [_view(store.file(name), name, name == current) for name in store.names()]
    if json:
        print_json({"profiles": found})
        return
    rows = (
        (
            "*" if each["current"] else "",
            each["name"],
            each["application_name"] or each["application_id"],
            each["zone"],
            each["authority"],
            each["problem"],
        )
        for each in found
    )
    print_table(_COLUMNS, rows, "no profile is stored; caracal-grpc login stores one")


@profiles.command("use")
def use_profile(name: NameArgument, json: JsonOption = False) -> None:
    """Take a stored profile for every command that is told no other."""
    from caracal_grpc.cli.profile.store import ProfileStore
    from caracal_grpc.cli.terminal.output import print_json, print_line

    store = ProfileStore.of_user()
    store.use(name)
    if json:
        print_json({"name": name, "path": str(store.file(name))})
    else:
        print_line(f"using {name}")
    note_variable()


@profiles.command("path")
def profile_path(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A stored profile. Default: what commands would use."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Print the file of a profile, such as for CARACAL_PROFILE of a service."""
    from caracal_grpc.cli.profile.store import ProfileStore
    from caracal_grpc.cli.terminal.output import print_json, print_line

    if name is None:
        chosen = choose(None)
        path, by = chosen.path, chosen.by
    else:
        path, by = ProfileStore.of_user().existing(name), "its name"
    if json:
        print_json({"path": str(path), "by": by})
    else:
        print_line(str(path))


def _view(file: Path, name: str, current: bool) -> dict[str, Any]:
    """What is said of a profile: never its secret; of one that is unfit, why."""
    from caracal_grpc.interceptors.profile import Profile

    base = {"name": name, "current": current, "path": str(file)}
    try:
        profile = Profile.load(file)
    except CaracalError as error:
        return {**base, **_UNKNOWN, "problem": error.message}
    return {**base, **{key: getattr(profile, key) for key in _UNKNOWN}, "problem": ""}
