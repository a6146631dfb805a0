"""Figures as people read them."""

from __future__ import annotations

from typing import Final

_UNITS: Final = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"))
_SIZES: Final = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def span(seconds: float) -> str:
    """A length of time: `12 ms`, `1.5 s`, `3 d`."""
    for length, unit in _UNITS:
        if abs(seconds) >= length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds * 1000:.3g} ms"


def size(count: float) -> str:
    """A number of bytes: `1.5 GiB`."""
    for length, unit in _SIZES:
        if count >= length:
            return f"{count / length:.3g} {unit}"
    return f"{count:.0f} bytes"


def counted(count: int, one: str, many: str = "") -> str:
    """`1 edge`, `2 edges`; `many` is the plural that is not made with an s."""
    return f"{count} {one}" if count == 1 else f"{count} {many or one + 's'}"
