"""`audit witness`: cosigns the checkpoints of a zone, so that nobody has to trust one party."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, Target, ZoneOption, resolve
from caracal_grpc.cli.errors import CliError, ExitCode, usage

if TYPE_CHECKING:
    from caracal_grpc.cli.audit.witness_round import Witness
    from caracal_grpc.ledger.notes.note import TreeHead, VerifierKey

_DAY: Final = 86_400


def witness(
    state: Annotated[
        Path, typer.Option(help="File to remember checkpoints in; keep it, one an authority.")
    ],
    key: Annotated[
        Path, typer.Option(help="File with the key of the witness; made on first use, mode 0600.")
    ],
    name: Annotated[
        str, typer.Option(help="Name of a key that is made. Default: that of this machine.")
    ] = "",
    log_key: Annotated[
        str, typer.Option(help="Verifier key of the ledger. Default: the one that it showed first.")
    ] = "",
    every: Annotated[int, typer.Option(min=1, max=_DAY, help="Seconds between two rounds.")] = 60,
    once: Annotated[bool, typer.Option("--once", help="One round.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Begin anew behind a fork, trusting what is there now.")
    ] = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Cosign each new checkpoint of a ledger that proves that it only grew.

    One that contradicts an earlier one is a fork: exit code 10, both notes are kept, and nothing
    more is cosigned. Put the key that it prints into the authority's setting witnesses.
    """
    from caracal_grpc.cli.audit.witness_key import open_key
    from caracal_grpc.cli.audit.witness_memory import opened
    from caracal_grpc.cli.audit.witness_round import Witness
    from caracal_grpc.cli.terminal.output import note
    from caracal_grpc.ledger.notes.cosignature import witness_key

    target, log = resolve(profile, zone), _log_key(log_key)
    signer = open_key(key, name or f"{socket.gethostname()}/caracal-witness")
    note(f"the verifier key of this witness, for the setting witnesses: {witness_key(signer)}")
    with opened(state) as memory:
        if resume:
            memory.keep(target.zone, None)
        cosigner = Witness(signer, memory, log)
        if once:
            _show(target, _round(target, cosigner), json)
            return
        while True:
            _survive(target, cosigner, json)
            time.sleep(every)


def _survive(target: Target, cosigner: Witness, as_json: bool) -> None:
    """One round of many: while the authority is away, the next one tries again."""
    from caracal_grpc.cli.terminal.output import note

    try:
        _show(target, _round(target, cosigner), as_json)
    except CliError as error:
        if error.code is not ExitCode.UNAVAILABLE:
            raise
        note(f"nothing is cosigned: {error}")


def _round(target: Target, cosigner: Witness) -> TreeHead:
    from caracal_grpc.cli.connection import connected, run
    from caracal_grpc.v1.audit_service_pb2_grpc import AuditServiceStub

    async def work() -> TreeHead:
        async with connected(target) as channel:
            return await cosigner.round(AuditServiceStub(channel), target.zone, time.time())

    return run(target, work())


def _show(target: Target, head: TreeHead, as_json: bool) -> None:
    from caracal_grpc.cli.terminal.output import print_json, print_line

    if as_json:
        root = head.root.hex()
        print_json(
            {"zone": target.zone, "cosigned": head.size > 0, "size": head.size, "root": root}
        )
    elif head.size:
        print_line(f"cosigned zone {target.zone}: {head.size} entries, root {head.root.hex()}")
    else:
        print_line(f"zone {target.zone} has no entries yet: nothing is cosigned")


def _log_key(text: str) -> VerifierKey | None:
    from caracal_grpc.ledger.notes.note import NoteError, VerifierKey

    try:
        return VerifierKey.parse(text) if text else None
    except NoteError as exc:
        raise usage(f"--log-key {exc}") from exc
