"""Base64url without padding (RFC 7515 section 2), one spelling for each value."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from typing import Final

_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
# What only the other alphabet and padding use becomes a character that no alphabet has.
_TO_STANDARD: Final = bytes.maketrans(b"-_+/=", b"+/!!!")


def encode(raw: bytes) -> str:
    """The unpadded base64url text of `raw`."""
    return b2a_base64(raw, newline=False).translate(_TO_URL).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """The bytes that `text` spells; raises `ValueError` for any but the spelling of `encode`.

    Padding, other alphabets, stray characters and non-zero trailing bits all are second spellings
    of the same bytes. The decoder refuses the first three; encoding the last bytes again shows the
    fourth, at a fraction of what encoding all of them costs.
    """
    standard = text.encode("ascii").translate(_TO_STANDARD)
    raw = a2b_base64(standard + b"=" * (-len(standard) % 4), strict_mode=True)
    odd = len(raw) % 3
    if odd and b2a_base64(raw[-odd:], newline=False)[: odd + 1] != standard[-odd - 1 :]:
        raise ValueError("not canonical base64url")
    return raw
