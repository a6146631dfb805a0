"""`login` and `logout`: profiles that are checked, then stored by a name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from caracal_grpc.cli.context import JsonOption, Target, note_variable
from caracal_grpc.cli.errors import CliError, ExitCode, usage
from caracal_grpc.cli.objects.identities import (
    AssertionOption,
    CertificateKeyOption,
    CertificateOption,
    ClientKeyOption,
    files_of_proof,
)
from caracal_grpc.core.errors import CaracalError

if TYPE_CHECKING:
    from caracal_grpc.cli.profile.store import ProfileStore
    from caracal_grpc.interceptors.profile import Profile

_TYPED: Final = "--authority, --zone, --application and the like"


def login(
    file: Annotated[
        Path | None,
        typer.Argument(help="A profile that you were given, such as apply writes. Default: asks."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What to store it by. Default: ZONE-APPLICATION.")
    ] = None,
    authority: Annotated[str | None, typer.Option(help="host:port of the authority.")] = None,
    zone: Annotated[str | None, typer.Option(help="Zone of the application.")] = None,
    application: Annotated[str | None, typer.Option(help="The application, app_….")] = None,
    ca_file: Annotated[
        str | None, typer.Option(help="CA of the authority's certificate, PEM. Default: public.")
    ] = None,
    server_name: Annotated[
        str | None, typer.Option(help="Name in its certificate, when that is not the host.")
    ] = None,
    plaintext: Annotated[
        bool, typer.Option("--plaintext", help="No TLS: for an authority on loopback only.")
    ] = False,
    secret_file: Annotated[
        str | None,
        typer.Option(help="File of mode 0600 with the secret; - reads stdin. Default: asks."),
    ] = None,
    assertion_file: AssertionOption = None,
    client_key_file: ClientKeyOption = None,
    cert_file: CertificateOption = None,
    key_file: CertificateKeyOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace another profile of that name.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Store a profile after a real exchange with it, and use it from now on.

    Without FILE it asks for what no option says; the secret is never an option, and not asked for
    beside a file that proves who this is.
    """
    from caracal_grpc.cli.profile.asked import Typed, ask_profile
    from caracal_grpc.cli.profile.store import ProfileStore

    proof = files_of_proof(assertion_file, client_key_file, cert_file, key_file)
    typed = Typed(authority, zone, application, ca_file, server_name, plaintext, secret_file, proof)
    if file is None:
        profile = ask_profile(typed)
    elif typed != Typed():
        raise usage(f"{_TYPED} are what the file says; give either")
    else:
        profile = _read(file)
    _log_in(ProfileStore.of_user(), profile, name, force=force, as_json=json)


def logout(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="The profile to remove. Default: the one in use."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Remove a stored profile from this machine. Its secret stays good at the authority."""
    from caracal_grpc.cli.profile.store import ProfileStore
    from caracal_grpc.cli.terminal.output import print_json, print_line

    store = ProfileStore.of_user()
    chosen = name or store.current()
    if not chosen:
        raise CliError(ExitCode.STATE, "no profile is in use; name one, see profile list")
    path = store.remove(chosen)
    if json:
        print_json({"name": chosen, "path": str(path)})
        return
    print_line(f"removed {path}")
    print_line("its secret is still good wherever else it is; revoke the application to end that")


def _log_in(
    store: ProfileStore, profile: Profile, name: str | None, *, force: bool, as_json: bool
) -> None:
    from caracal_grpc.cli.profile.identity import identify
    from caracal_grpc.cli.profile.whoami import facts, view
    from caracal_grpc.cli.terminal.output import print_facts, print_json, print_line

    chosen = name or default_name(profile)
    store.require_free(chosen, profile, force=force)
    identity = identify(Target(profile, profile.zone, store.file(chosen)))
    path = store.save(chosen, profile)
    store.use(chosen)
    note_variable()
    target = Target(profile, profile.zone, path)
    if as_json:
        told: dict[str, Any] = {"name": chosen, **view(target, identity)}
        print_json(told)
        return
    print_line(f"logged in as {chosen}, which is in use from now on")
    print_facts(facts(target, identity))


def default_name(profile: Profile) -> str:
    """What a profile is stored by unless told: its zone, and its application when that is known."""
    return f"{profile.zone}-{profile.application_name}".rstrip("-")


def _read(file: Path) -> Profile:
    from caracal_grpc.interceptors.profile import Profile

    try:
        # Absolute, as the files that it names are relative to it, and it is stored elsewhere.
        return Profile.load(file.absolute())
    except CaracalError as error:
        raise CliError(ExitCode.CREDENTIAL, f"profile {error.message}") from error
