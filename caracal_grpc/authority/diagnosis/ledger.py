"""Checks of the ledger: whether it takes entries, holds together, and has room."""

from __future__ import annotations

from typing import Final

from caracal_grpc.authority.diagnosis.check import (
    Finding,
    Question,
    failed,
    fine,
    graded,
    warning,
)
from caracal_grpc.authority.diagnosis.ground import Ground
from caracal_grpc.authority.diagnosis.units import counted, size, span
from caracal_grpc.crypto.ledger_key import verify_ed25519
from caracal_grpc.ledger.notes.note import NoteError, VerifierKey, open_note
from caracal_grpc.ledger.port import Filter

KIND: Final = "diagnosis"
"""The type of the entry that the check itself leaves."""

_SLOW, _TOO_SLOW = 0.25, 2.0
_LITTLE, _TOO_LITTLE = 1 << 30, 100 << 20
_OLD_SWEEP: Final = 86_400.0
"""Seconds after which somebody should look why no sweep has come to its end."""
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
    if left is None:
        return fine("PostgreSQL does not tell; watch the disk of its server")
    return graded(
        -left,
        -_LITTLE,
        -_TOO_LITTLE,
        f"{size(left)} are free",
        "make room on the disk of the ledger, or give it a larger one",
    )


async def sweep(ground: Ground) -> Finding:
    """What the sweep of this replica found, which reads the whole ledger again and again."""
    parts = ground.parts
    known = parts.integrities.of(ground.zone.name)
    if not known.ready:
        first, more = known.findings[0], len(known.findings) - 1
        rest = f", and {counted(more, 'finding')} more" if more else ""
        return failed(f"{first.kind}: {first.text}{rest}", _SHUT)
    since = parts.integrities.began if known.checked_at is None else known.checked_at
    age = parts.clock.now() - since
    if known.checked_at is None:
        detail = f"not yet whole, begun {span(age)} ago"
    else:
        detail = f"{counted(known.checked_size, 'entry', 'entries')}, whole {span(age)} ago"
    advice = "see the log of this replica: the ledger cannot be read, or not fast enough"
    return warning(detail, advice) if age >= _OLD_SWEEP else fine(detail)


_SHUT: Final = (
    "the zone takes no entries: keep the ledger as evidence, run caracal-grpc audit verify on an "
    "export, restore the ledger, and start this replica again"
)
_STOPPED: Final = "no exchange is answered without the ledger: see its disk, and this replica's log"

LEDGER: Final = (
    Question("ledger", "append", append, _STOPPED),
    Question("ledger", "tree", tree, _STOPPED),
    Question("ledger", "space", space, _STOPPED),
    Question("ledger", "sweep", sweep, _STOPPED),
)
