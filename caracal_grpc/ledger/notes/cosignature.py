"""Cosignatures: a witness says that a checkpoint is the newest it saw of a log that only grew.

In the Ed25519 form of C2SP `tlog-cosignature`: a signature of the note, of a type of its own, over
a header, the time and the text of the checkpoint. Signing is a port: keys live in another room.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from caracal_grpc.ledger.notes.note import (
    NoteError,
    NoteKey,
    Signer,
    TreeHead,
    VerifierKey,
    Verify,
    open_checkpoint,
    signature_line,
    signatures_by,
    split_note,
)

MAX_TIME: Final = 2**63 - 1
"""The latest time that a cosignature may have, in seconds since the Unix epoch."""

_TIME_SIZE: Final = 8
_SIGNATURE_SIZE: Final = 64


@dataclass(frozen=True, slots=True)
class WitnessKey(NoteKey):
    """The public side of what a witness cosigns with."""

    TYPE: ClassVar[bytes] = b"\x04"


def witness_key(signer: Signer) -> WitnessKey:
    """The key that checks what `signer` cosigns; its written form is what a witness publishes."""
    return WitnessKey(signer.name, signer.public)


def cosign(note: str, log_key: VerifierKey, signer: Signer, time: int, verify: Verify) -> str:
    """`note` with the cosignature of `signer` at `time`, in seconds since the Unix epoch.

    An older one of the same witness is left out, signatures of others are kept. That the log only
    grew is for the caller to check before. Raises `NoteError` for a note that is not a checkpoint
    signed by `log_key`, and `ValueError` for a time that cannot be written.
    """
    if not 0 <= time <= MAX_TIME:
        raise ValueError("the time of a cosignature is from 0 to 2^63 - 1 seconds")
    open_checkpoint(note, log_key, verify)
    key = witness_key(signer)
    text, signatures = split_note(note)
    kept = [str(each) for each in signatures if not each.names(key)]
    stamped = time.to_bytes(_TIME_SIZE) + signer.sign(_message(time, text))
    return "".join([text, "\n", *kept, signature_line(key, stamped)])


def open_cosigned(
    note: str, log_key: VerifierKey, witness: WitnessKey, verify: Verify
) -> tuple[TreeHead, int]:
    """The tree head that the log signed, and when the witness cosigned it, in Unix seconds.

    The newest time, when it did so more than once. Raises `UnknownKeyError` when one of the two has
    not signed, and `NoteError` when the note is malformed or a signature of theirs does not hold.
    """
    return open_checkpoint(note, log_key, verify), cosigned_at(note, witness, verify)


def cosigned_at(note: str, witness: WitnessKey, verify: Verify) -> int:
    """When the witness cosigned a note, whichever log signed it; raises as `open_cosigned`."""
    text, signatures = signatures_by(witness, note)
    return max(_time(text, witness, each, verify) for each in signatures)


def _time(text: str, witness: WitnessKey, stamped: bytes, verify: Verify) -> int:
    """The time of one cosignature; raises `NoteError` when it does not hold."""
    time = int.from_bytes(stamped[:_TIME_SIZE])
    whole = len(stamped) == _TIME_SIZE + _SIGNATURE_SIZE and time <= MAX_TIME
    if not whole or not verify(witness.public, stamped[_TIME_SIZE:], _message(time, text)):
        raise NoteError(f"has a bad cosignature by {witness.name}+{witness.key_id.hex()}")
    return time


def _message(time: int, text: str) -> bytes:
    """What is signed: two lines, then the text of the checkpoint with its last newline."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()
