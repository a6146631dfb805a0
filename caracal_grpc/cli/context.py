"""What every command that talks to the authority takes: a profile, a zone, and a form of output."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from caracal_grpc.cli.errors import CliError, ExitCode, usage
from caracal_grpc.core.errors import CaracalError

if TYPE_CHECKING:
    from caracal_grpc.interceptors.profile import Profile

PROFILE_VARIABLE: Final = "CARACAL_PROFILE"
OPTION: Final = "--profile"
CURRENT: Final = "the profile in use"

ProfileOption = Annotated[
    str | None,
    typer.Option(
        OPTION,
        metavar="FILE|NAME",
        help="Which authority, and who you are. Default: the profile in use, see login. "
        "[env var: CARACAL_PROFILE]",
        show_default=False,
    ),
]
ZoneOption = Annotated[
    str | None,
    typer.Option("--zone", help="Zone to act on. Default: the profile's.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one line of JSON.")]


@dataclass(frozen=True, slots=True)
class Choice:
    """The file of a profile, and what named it: the option, the variable, or that it is in use."""

    path: Path
    by: str


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to ask, as whom, and about which zone; `path` is the file of the profile."""

    profile: Profile
    zone: str
    path: Path
    by: str = ""


def resolve(profile: str | os.PathLike[str] | None, zone: str | None) -> Target:
    """The target that the options and the environment name; raises `CliError`."""
    if zone == "":
        raise usage("--zone is empty; name a zone, or leave it out for the profile's")
    chosen = choose(profile)
    loaded = load(chosen)
    return Target(loaded, zone or loaded.zone, chosen.path, chosen.by)


def choose(profile: str | os.PathLike[str] | None) -> Choice:
    """Which profile: what `--profile` says, else `CARACAL_PROFILE`, else the one in use.

    Each of the first two is a path or the name of a stored profile. Raises `CliError` saying which
    way was tried.
    """
    from caracal_grpc.cli.profile.store import ProfileStore
    from caracal_grpc.interceptors.profile_home import locate_profile

    variable = os.environ.get(PROFILE_VARIABLE, "")
    for by, text in ((OPTION, os.fspath(profile or "")), (PROFILE_VARIABLE, variable)):
        if text:
            try:
                return Choice(locate_profile(text).absolute(), by)
            except CaracalError as error:
                raise _unfit(by, error) from error
    current = ProfileStore.of_user().current_file()
    if current is not None:
        return Choice(current, CURRENT)
    tried = f"no {OPTION}, {PROFILE_VARIABLE} is not set, and none is in use"
    ways_out = (
        f"run caracal-grpc login, or give {OPTION} FILE (caracal-grpc dev and apply write them)"
    )
    raise CliError(ExitCode.CREDENTIAL, f"no profile: {tried}; {ways_out}")


def note_variable() -> None:
    """Says that the profile in use is not what commands take while the variable is set."""
    from caracal_grpc.cli.terminal.output import note

    if os.environ.get(PROFILE_VARIABLE):
        note(f"caracal-grpc: {PROFILE_VARIABLE} is set and wins over {CURRENT}; unset it")


def load(chosen: Choice) -> Profile:
    """The profile that was chosen; raises `CliError` naming what chose it."""
    from caracal_grpc.interceptors.profile import Profile

    try:
        return Profile.load(chosen.path)
    except CaracalError as error:
        raise _unfit(chosen.by, error) from error


def _unfit(by: str, error: CaracalError) -> CliError:
    return CliError(ExitCode.CREDENTIAL, f"profile {error.message} (named by {by})")
