"""Cosignatures of witnesses against one of a real witness, and against every change."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.ledger.notes.cosignature import (
    MAX_TIME,
    WitnessKey,
    cosign,
    cosigned_at,
    open_cosigned,
    witness_key,
)
from caracal_grpc.ledger.notes.note import (
    NoteError,
    UnknownKeyError,
    VerifierKey,
    open_checkpoint,
    sign_head,
    signature_line,
)
from tests.ledger.support import Key, signer_for, verify

# A checkpoint of a public log of Certificate Transparency, cosigned by a public witness.
PUBLISHED = (
    "arche2025h1.staging.ct.transparency.dev\n"
    "1432088532\n"
    "U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n"
    "\n"
    "— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3"
    "NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=\n"
    "— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sX"
    "Tynk5XeU/zZ0WBxtqB0DrAWfBw==\n"
)
PUBLISHED_LOG = (
    "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
)
PUBLISHED_WITNESS = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"

LOG = signer_for("shop")
LOG_KEY = VerifierKey(LOG.name, LOG.public)
WITNESS = Key("witness.example/w1", bytes(31) + b"\x02")
WITNESS_KEY = witness_key(WITNESS)
NOTE = sign_head(LOG, 5, bytes(32))
COSIGNED = cosign(NOTE, LOG_KEY, WITNESS, 1_790_000_000, verify)


def test_a_published_cosignature_opens() -> None:
    """What a real witness said of a real log, and when, is understood."""
    log, witness = VerifierKey.parse(PUBLISHED_LOG), WitnessKey.parse(PUBLISHED_WITNESS)
    head, time = open_cosigned(PUBLISHED, log, witness, verify)
    assert (head.origin, head.size, time) == (log.name, 1_432_088_532, 1_779_573_024)
    assert str(witness) == PUBLISHED_WITNESS


def test_a_cosigned_checkpoint_is_still_one_of_the_log() -> None:
    """The cosignature is one more line; who does not know the witness sees no difference."""
    assert COSIGNED.startswith(NOTE)
    assert open_checkpoint(COSIGNED, LOG_KEY, verify) == open_checkpoint(NOTE, LOG_KEY, verify)
    assert open_cosigned(COSIGNED, LOG_KEY, WITNESS_KEY, verify)[1] == 1_790_000_000


def test_the_line_is_of_key_id_time_and_signature() -> None:
    """The form that C2SP tlog-cosignature gives, over the message that it gives."""
    message = b"cosignature/v1\ntime 1790000000\n" + NOTE.partition("\n\n")[0].encode() + b"\n"
    stamped = (1_790_000_000).to_bytes(8, "big") + WITNESS.sign(message)
    line = b64encode(WITNESS_KEY.key_id + stamped).decode()
    assert f"{NOTE}— witness.example/w1 {line}\n" == COSIGNED


def test_a_newer_cosignature_takes_the_place_of_an_older_one() -> None:
    """Of the same witness; those of others stay."""
    other = Key("witness.example/w2", bytes(31) + b"\x03")
    both = cosign(COSIGNED, LOG_KEY, other, 1, verify)
    again = cosign(both, LOG_KEY, WITNESS, 1_790_000_009, verify)
    assert again.count("witness.example/w1") == 1
    assert cosigned_at(again, WITNESS_KEY, verify) == 1_790_000_009
    assert cosigned_at(again, witness_key(other), verify) == 1


def test_the_newest_of_several_counts() -> None:
    """Should somebody put together what a witness said at different times."""
    older = cosign(NOTE, LOG_KEY, WITNESS, 7, verify).removeprefix(NOTE)
    assert cosigned_at(COSIGNED + older, WITNESS_KEY, verify) == 1_790_000_000


def test_only_what_the_log_signed_is_cosigned() -> None:
    """Not what another key signed, nor what is no checkpoint."""
    with pytest.raises(UnknownKeyError):
        cosign(sign_head(Key(LOG.name, b"x" * 32), 5, bytes(32)), LOG_KEY, WITNESS, 1, verify)
    with pytest.raises(NoteError):
        cosign("nothing", LOG_KEY, WITNESS, 1, verify)


@pytest.mark.parametrize("time", [-1, MAX_TIME + 1])
def test_times_that_cannot_be_written_are_refused(time: int) -> None:
    """C2SP allows 0 to 2^63 - 1."""
    with pytest.raises(ValueError, match="the time of a cosignature"):
        cosign(NOTE, LOG_KEY, WITNESS, time, verify)


def test_a_checkpoint_without_the_witness_is_not_cosigned() -> None:
    """Nor with a signature of the witness that is none of this kind."""
    with pytest.raises(UnknownKeyError):
        open_cosigned(NOTE, LOG_KEY, WITNESS_KEY, verify)
    plain = VerifierKey(WITNESS.name, WITNESS.public)
    text = NOTE.partition("\n\n")[0] + "\n"
    signed = NOTE + signature_line(plain, WITNESS.sign(text.encode()))
    with pytest.raises(UnknownKeyError):
        open_cosigned(signed, LOG_KEY, WITNESS_KEY, verify)


@given(st.integers(0, 8 * 72 - 1))
def test_no_changed_bit_of_a_cosignature_passes(bit: int) -> None:
    """Neither of the time nor of the signature."""
    line = COSIGNED.removeprefix(NOTE)
    stamped = (1_790_000_000).to_bytes(8) + _value(line)[8:]
    changed = (int.from_bytes(stamped) ^ 1 << bit).to_bytes(72)
    with pytest.raises(NoteError, match="bad cosignature"):
        cosigned_at(NOTE + signature_line(WITNESS_KEY, changed), WITNESS_KEY, verify)


def _value(line: str) -> bytes:
    """What a line holds behind the key id."""
    return b64decode(line.split(" ")[2])[4:]


@pytest.mark.parametrize("length", [1, 8, 71, 73])
def test_a_cosignature_of_another_length_is_refused(length: int) -> None:
    """Cut or longer."""
    value = (_value(COSIGNED.removeprefix(NOTE)) + b"x")[:length]
    with pytest.raises(NoteError, match="bad cosignature"):
        cosigned_at(NOTE + signature_line(WITNESS_KEY, value), WITNESS_KEY, verify)


def test_a_time_that_no_witness_may_say_is_refused() -> None:
    """Although the witness signed it: C2SP ends at 2^63 - 1."""
    for time, taken in ((MAX_TIME, True), (MAX_TIME + 1, False)):
        text = NOTE.partition("\n\n")[0]
        signed = WITNESS.sign(f"cosignature/v1\ntime {time}\n{text}\n".encode())
        note = NOTE + signature_line(WITNESS_KEY, time.to_bytes(8) + signed)
        if taken:
            assert cosigned_at(note, WITNESS_KEY, verify) == time
        else:
            with pytest.raises(NoteError, match="bad cosignature"):
                cosigned_at(note, WITNESS_KEY, verify)


def test_a_text_that_was_not_cosigned_is_refused() -> None:
    """The witness said it of this checkpoint, not of another of the same log."""
    moved = sign_head(LOG, 6, bytes(32)) + COSIGNED.removeprefix(NOTE)
    with pytest.raises(NoteError, match="bad cosignature"):
        open_cosigned(moved, LOG_KEY, WITNESS_KEY, verify)


def test_keys_of_different_kinds_are_not_mistaken() -> None:
    """A witness may have the key bytes of a log: the ids differ, neither parses as the other."""
    assert witness_key(LOG).key_id != LOG_KEY.key_id
    with pytest.raises(NoteError, match="type 0x04"):
        WitnessKey.parse(str(LOG_KEY))
    with pytest.raises(NoteError, match="type 0x01"):
        VerifierKey.parse(str(witness_key(LOG)))
