"""One value, one spelling."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.crypto import base64url


@given(st.binary())
def test_round_trip(raw: bytes) -> None:
    """Decoding gives back what was encoded, in the spelling of the standard library."""
    text = base64url.encode(raw)
    assert text == base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    assert base64url.decode(text) == raw


@given(st.one_of(st.text(), st.text("AQgwB-_+/=.\n", max_size=9)))
def test_only_one_spelling_decodes(text: str) -> None:
    """Whatever decodes is exactly the spelling of its bytes."""
    try:
        raw = base64url.decode(text)
    except ValueError:
        return
    assert base64url.encode(raw) == text


@pytest.mark.parametrize("text", ["A", "AB", "AAB", "AA=", "AA==", "+A", "/A", "A A", "AAAAA", "é"])
def test_other_spellings_are_refused(text: str) -> None:
    """Padding, stray characters, other alphabets and trailing bits."""
    with pytest.raises(ValueError, match=r"."):
        base64url.decode(text)
