"""Witnesses: who cosigns the checkpoints of zones, and what is kept of it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from caracal_grpc.authority.keys.signers import Signers, ledger_issuer
from caracal_grpc.authority.state.access import require_zone
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.crypto.ledger_key import verify_ed25519
from caracal_grpc.ledger.notes.cosignature import WitnessKey, cosigned_at, open_cosigned
from caracal_grpc.ledger.notes.note import (
    NoteError,
    TreeHead,
    UnknownKeyError,
    VerifierKey,
    open_checkpoint,
    signature_line,
    signatures_by,
)
from caracal_grpc.ledger.port import Checkpoint, Cosigned, Ledger

_log = logging.getLogger("caracal.ledger")

MOST_AHEAD: Final = 60.0
"""Seconds that the clock of a witness may be ahead of ours."""


class Witnesses:
    """Takes the cosignatures of `keys`, the witnesses that this authority was told of."""

    def __init__(
        self,
        ledger: Ledger,
        state: State,
        signers: Signers,
        clock: Clock,
        keys: Sequence[WitnessKey],
    ) -> None:
        self._ledger = ledger
        self._state = state
        self._signers = signers
        self._clock = clock
        self._keys = {str(key): key for key in keys}

    async def add(self, caller: Mandate, zone: str, note: str) -> None:
        """Keeps the cosignatures in `note` of the witnesses that are known.

        Raises `FIELD_INVALID` unless it is a checkpoint of this ledger with one at least, and none
        of the future or older than what is kept; `ZONE_FORBIDDEN`, `OBJECT_NOT_FOUND`.
        """
        require_zone(caller, zone)
        ledger_issuer(self._state, zone)
        log = self._log_key(zone)
        head = _opened(note, log)
        times = {name: self._time(note, log, key) for name, key in self._keys.items()}
        if all(time is None for time in times.values()):
            raise _invalid(f"has no cosignature of the {len(times)} witnesses of the settings")
        await self._require_ours(zone, head)
        kept = {each.witness: each for each in await self._ledger.cosigned(zone)}
        for name, time in times.items():
            if time is not None:
                self._require_newer(head, time, kept.get(name), self._keys[name])
        for name, time in times.items():
            if time is not None:
                own = _signed_by(note, (log, self._keys[name]))
                await self._ledger.cosign(zone, Cosigned(name, head.size, own))

    async def newest(self, zone: str) -> Checkpoint | None:
        """The largest checkpoint that was cosigned, with all who cosigned it; `None` when none is.

        What is damaged of what is kept is left out here: the sweep names it.
        """
        log = self._log_key(zone)
        found: list[tuple[TreeHead, str, WitnessKey]] = []
        for each in await self._ledger.cosigned(zone):
            key = self._keys.get(each.witness)
            try:
                if key is not None:
                    head, _ = open_cosigned(each.note, log, key, verify_ed25519)
                    found.append((head, each.note, key))
            except NoteError as error:
                _log.error("what witness %s cosigned of zone %s %s", key, zone, error)
        if not found:
            return None
        newest, note, _ = max(found, key=lambda each: each[0].size)
        same = [(own, key) for head, own, key in found if head == newest]
        lines = "".join(_lines(own, key) for own, key in same)
        return Checkpoint(_signed_by(note, (log,)) + lines, newest.size, newest.root)

    def _log_key(self, zone: str) -> VerifierKey:
        signer = self._signers(zone)
        return VerifierKey(signer.name, signer.public)

    def _time(self, note: str, log: VerifierKey, key: WitnessKey) -> int | None:
        """When the witness cosigned the note; `None` when it did not."""
        try:
            return open_cosigned(note, log, key, verify_ed25519)[1]
        except UnknownKeyError:
            return None
        except NoteError as error:
            raise _invalid(str(error)) from error

    async def _require_ours(self, zone: str, head: TreeHead) -> None:
        if not head.size:
            raise _invalid("covers no entry; cosign a checkpoint that covers some")
        size = await self._ledger.size(zone)
        if head.size > size:
            raise _invalid(f"covers {head.size} entries, and this ledger has {size}")
        ours = await self._ledger.inclusion(zone, head.size - 1, head.size)
        if ours.checkpoint.root != head.root:
            _log.error("a checkpoint over %d entries of zone %s forks it", head.size, zone)
            raise _invalid("is a checkpoint of another tree: a fork; keep it as evidence")

    def _require_newer(
        self, head: TreeHead, time: int, kept: Cosigned | None, key: WitnessKey
    ) -> None:
        if time > self._clock.now() + MOST_AHEAD:
            raise _invalid("is cosigned in the future; set the clock of the witness")
        if kept is None:
            return
        if head.size < kept.size or time < _kept_time(kept, key):
            raise _invalid("is older than what is kept of this witness; cosign the newest")


def _opened(note: str, log: VerifierKey) -> TreeHead:
    try:
        head = open_checkpoint(note, log, verify_ed25519)
    except NoteError as error:
        raise _invalid(str(error)) from error
    if head.origin != log.name:
        raise _invalid(f"is a checkpoint of {head.origin}, not of {log.name}")
    return head


def _kept_time(kept: Cosigned, key: WitnessKey) -> int:
    """When what is kept was cosigned; what is damaged counts for nothing."""
    try:
        return cosigned_at(kept.note, key, verify_ed25519)
    except NoteError:
        return 0


def _signed_by(note: str, keys: Sequence[VerifierKey | WitnessKey]) -> str:
    """The note with the signatures of these keys alone: those of strangers are nobody's to keep."""
    text = note.rpartition("\n\n")[0]
    return f"{text}\n\n" + "".join(_lines(note, key) for key in keys)


def _lines(note: str, key: VerifierKey | WitnessKey) -> str:
    return "".join(signature_line(key, raw) for raw in signatures_by(key, note)[1])


def _invalid(problem: str) -> CaracalError:
    return field_invalid("note", problem)


def signed_root(cosigned: Cosigned, log: VerifierKey) -> tuple[int, bytes]:
    """The size and the root of what is kept; raises `NoteError` unless the log signed it."""
    head = open_checkpoint(cosigned.note, log, verify_ed25519)
    return head.size, head.root
