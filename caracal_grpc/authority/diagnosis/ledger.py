"""Checks of the ledger: whether it takes entries, holds together, and has room."""

from __future__ import annotations

from typing import Final

from caracal_grpc.authority.diagnosis.check import Finding, Question, failed, fine, graded
from caracal_grpc.authority.diagnosis.ground import Ground
from caracal_grpc.authority.diagnosis.units import counted, size, span
from caracal_grpc.crypto.ledger_key import verify_ed25519
from caracal_grpc.ledger.note import NoteError, VerifierKey, open_note
from caracal_grpc.ledger.port import Filter

KIND: Final = "diagnosis"
"""The type of the entry that the check itself leaves."""

_SLOW, _TOO_SLOW = 0.25, 2.0
_LITTLE, _TOO_LITTLE = 1 << 30, 100 << 20
_VERIFY: Final = "run caracal-grpc audit verify on a copy, and keep the file as it is"


async def append(ground: Ground) -> Finding:
    """How long an entry takes to be durable: every exchange waits for one."""
    clock = ground.parts.clock
    began = clock.monotonic()
    await ground.parts.recorder.done(ground.caller, ground.zone.name, KIND)
    took = clock.monotonic() - began
    advice = "see that the ledger has a disk that is fast to sync"
    return graded(took, _SLOW, _TOO_SLOW, f"durable in {span(took)}", advice)


async def tree(ground: Ground) -> Finding:
    """Whether the newest entry is what was recorded, under a checkpoint that this zone signed."""
    ledger, zone = ground.parts.ledger, ground.zone.name
    newest = (await ledger.search(zone, Filter(newest_first=True), page_size=1)).entries
    head = await ledger.checkpoint(zone)  # after it, so that it covers the entry
    signer = ground.parts.signers(zone)
    try:
        open_note(head.note, VerifierKey(signer.name, signer.public), verify_ed25519)
    except NoteError as error:
        return failed(f"the checkpoint {error}", _VERIFY)
    if any(not each.intact or each.index >= head.size for each in newest):
        return failed("the newest entry is not what the checkpoint signs", _VERIFY)
    return fine(f"{counted(head.size, 'entry', 'entries')}, signed")


async def space(ground: Ground) -> Finding:
    """How much room is left; a full disk stops every exchange."""
    left = await ground.parts.ledger.free_bytes()
    return graded(
        -left,
        -_LITTLE,
        -_TOO_LITTLE,
        f"{size(left)} are free",
        "make room on the disk of the ledger, or give it a larger one",
    )


_STOPPED: Final = "no exchange is answered without the ledger: see its disk, and this replica's log"

LEDGER: Final = (
    Question("ledger", "append", append, _STOPPED),
    Question("ledger", "tree", tree, _STOPPED),
    Question("ledger", "space", space, _STOPPED),
)
