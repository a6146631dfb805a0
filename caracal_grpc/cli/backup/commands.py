"""`backup`: take backups, check them, bring them back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from caracal_grpc.cli.terminal.bare import show_help

_CREATE: Final = (
    "Back up every zone, or one, and the ledger, while the authority runs.\n\n"
    "Of a ledger in PostgreSQL it takes the newest checkpoints: back up the database there. "
    "It is sealed with the key-encryption key, as private keys and secrets of upstreams in it are: "
    "keep that elsewhere."
)
_RESTORE: Final = (
    "Bring a backup into an etcd that has lost it. Nobody who was stopped since lives again.\n\n"
    "Stop every replica first; for --only-zone, the one whose ledger you name. Every mandate from "
    "before is dead, every session but the standing ones gone, and zones are frozen until you "
    "unfreeze them. What the ledgers know of revocations since is done again; what else was "
    "changed is listed. Where there is no file of a ledger, the backup's is put; a ledger in "
    "PostgreSQL must be there, and contain what it had when the backup was taken."
)

_Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder of the backup.")]
_Zone = Annotated[str, typer.Option("--only-zone", metavar="ZONE", help="One zone alone.")]
_Unfrozen = Annotated[
    bool, typer.Option("--unfrozen", help="Let zones that were not frozen grant at once.")
]
_Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON.")]


def backup_group(arguments: Sequence[str]) -> typer.Typer:
    """The group. Its settings are loaded when an argument is `backup`, as those of `serve` are."""
    group = typer.Typer(
        help="Take backups of the state and the ledger, check them, bring them back.",
        no_args_is_help=False,
        rich_markup_mode=None,
    )
    group.callback(invoke_without_command=True)(_bare)
    if "backup" in arguments:
        _add(group)
    return group


def _add(group: typer.Typer) -> None:
    from caracal_grpc.cli.backup.create import create
    from caracal_grpc.cli.backup.restore import restore
    from caracal_grpc.cli.terminal.settings import command_of, own
    from caracal_grpc.settings.backup import CaptureSettings, RestoreSettings

    shared = (own("folder", _Folder), own("zone", _Zone, ""), own("json", _Json, False))
    group.command("create")(command_of(CaptureSettings, create, _CREATE, *shared))
    group.command("verify")(verify)
    more = own("unfrozen", _Unfrozen, False)
    group.command("restore")(command_of(RestoreSettings, restore, _RESTORE, *shared, more))


def _bare(context: typer.Context) -> None:
    """Take backups of the state and the ledger, check them, bring them back."""
    if context.invoked_subcommand is None:
        show_help(context)


def verify(folder: _Folder, json: _Json = False) -> None:
    """Say whether a backup is whole, and of what it is.

    Whether anybody changed it shows in a restore, by the key-encryption key that it is sealed with.
    """
    from caracal_grpc.backup.folder import Folder
    from caracal_grpc.cli.backup.view import show_header

    show_header(Folder(folder).header(), json)
