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

ProfileOption = Annotated[
    Path | None,
    typer.Option(
        "--profile",
        help="File that says which authority and who you are. [env var: CARACAL_PROFILE]",
        show_default=False,
    ),
]
ZoneOption = Annotated[
    str | None,
    typer.Option("--zone", help="Zone to act on. Default: the profile's.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one line of JSON.")]


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to ask, as whom, and about which zone; `path` is the file of the profile."""

    profile: Profile
    zone: str
    path: Path


def resolve(profile: Path | None, zone: str | None) -> Target:
    """The target that the options and the environment name; raises `CliError`."""
    from caracal_grpc.interceptors.profile import Profile

    if zone == "":
        raise usage("--zone is empty; name a zone, or leave it out for the profile's")
    named = profile or Path(os.environ.get(PROFILE_VARIABLE, ""))
    if named == Path():
        text = f"no profile; give --profile FILE or set {PROFILE_VARIABLE} to one"
        raise CliError(ExitCode.CREDENTIAL, f"{text} (caracal-grpc dev and apply write them)")
    path = named.absolute()
    try:
        loaded = Profile.load(path)
    except CaracalError as error:
        raise CliError(ExitCode.CREDENTIAL, f"profile {error.message}") from error
    return Target(loaded, zone or loaded.zone, path)
