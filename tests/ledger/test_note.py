"""Signed notes and checkpoints against published ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.ledger.notes.note import (
    NoteError,
    TreeHead,
    UnknownKeyError,
    VerifierKey,
    open_checkpoint,
    open_note,
    parse_head,
    sign_head,
    signature_line,
    verifier_key,
)
from caracal_grpc.ledger.tree import EMPTY_ROOT
from tests.ledger.support import Key, signer_for, verify

# The key and the note that the documentation of Go's sumdb/note shows.
PUBLISHED_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PUBLISHED_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
PUBLISHED_NOTE = PUBLISHED_TEXT + (
    "\n— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)

SIGNER = signer_for("shop")
KEY = VerifierKey(SIGNER.name, SIGNER.public)


def test_a_published_note_opens() -> None:
    """A note that another implementation signed is understood."""
    key = VerifierKey.parse(PUBLISHED_KEY)
    assert str(key) == PUBLISHED_KEY
    assert open_note(PUBLISHED_NOTE, key, verify) == PUBLISHED_TEXT


def test_a_checkpoint_has_the_published_form() -> None:
    """Origin, size and root on a line each, an empty line, and one signature line."""
    note = sign_head(SIGNER, 0, EMPTY_ROOT)
    origin, size, root, empty, signature, end = note.split("\n")
    assert (origin, size) == ("authority.example/zones/shop", "0")
    assert root == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    assert (empty, end) == ("", "")
    assert signature.startswith(f"— {SIGNER.name} ")


@given(st.integers(0, 2**53), st.binary(min_size=32, max_size=32))
def test_a_signed_checkpoint_opens_to_what_was_signed(size: int, root: bytes) -> None:
    """Signing and opening are inverse."""
    head = TreeHead(SIGNER.name, size, root)
    assert open_checkpoint(sign_head(SIGNER, size, root), KEY, verify) == head


def test_a_signature_of_another_key_is_not_taken() -> None:
    """The same name with another key is an unknown key."""
    note = sign_head(Key(SIGNER.name, bytes(31) + b"\x01"), 1, bytes(32))
    with pytest.raises(UnknownKeyError):
        open_note(note, KEY, verify)


def test_signatures_of_others_are_ignored() -> None:
    """A cosigned checkpoint opens, whatever the other key is."""
    note = sign_head(SIGNER, 1, bytes(32))
    other = sign_head(Key("witness.example", bytes(31) + b"\x01"), 1, bytes(32))
    cosigned = note + other.split("\n")[-2] + "\n"
    assert open_checkpoint(cosigned, KEY, verify).size == 1


def test_a_changed_text_breaks_the_signature() -> None:
    """Every character of the text is signed."""
    with pytest.raises(NoteError, match="bad signature"):
        open_note(sign_head(SIGNER, 1, bytes(32)).replace("\n1\n", "\n2\n", 1), KEY, verify)


@pytest.mark.parametrize(
    "note",
    [
        "",
        "text\n",
        "text\n\n",
        "text\n\n— name",
        "text\n\nname AAAAAAAA\n",
        "text\n\n— name AAA\n",
        "text\n\n— name AAAA\n",
        "x" * 20_000 + "\n\n— name AAAAAAAA\n",
    ],
)
def test_what_is_no_note_is_refused(note: str) -> None:
    """Text without a proper signature block is never opened."""
    with pytest.raises(NoteError):
        open_note(note, KEY, verify)


@pytest.mark.parametrize("text", ["te\x1bxt\n", "text\r\n", "\t\n", "te\x00xt\n"])
def test_control_characters_are_refused_even_if_signed(text: str) -> None:
    """A note is shown to people, and C2SP allows none but the newline."""
    note = f"{text}\n{signature_line(KEY, SIGNER.sign(text.encode()))}"
    with pytest.raises(NoteError, match="control characters"):
        open_note(note, KEY, verify)


def test_text_that_no_encoding_has_is_refused() -> None:
    """Half of a surrogate pair comes out of JSON."""
    with pytest.raises(NoteError, match="control characters"):
        open_note(f"te\ud800xt\n\n{signature_line(KEY, bytes(64))}", KEY, verify)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "o\n1\n",
        "o\n01\n" + "A" * 43 + "=\n",
        "o\n-1\n" + "A" * 43 + "=\n",
        "o\n1\nAAAA\n",
        "\n1\n" + "A" * 43 + "=\n",
        "o\n1\n" + "A" * 43 + "=",
        "o\n1\n" + "A" * 43 + "=\n\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    """A size with a leading zero, a root of another length and missing lines are refused."""
    with pytest.raises(NoteError):
        parse_head(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+00000000+AAAA",
        PUBLISHED_KEY.replace("c74f20a3", "c74f20a4"),
        PUBLISHED_KEY.replace("+AR", "+BR"),
        PUBLISHED_KEY.replace("PeterNeumann", "Peter Neumann"),
    ],
)
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    """A key whose hash, type or name does not fit is refused."""
    with pytest.raises(NoteError):
        VerifierKey.parse(text)


def test_the_verifier_key_of_a_signer_parses_back() -> None:
    """What the authority publishes is what verifiers read."""
    assert VerifierKey.parse(verifier_key(SIGNER)) == KEY
