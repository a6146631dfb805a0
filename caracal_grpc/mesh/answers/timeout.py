"""The deadline of a call (gRPC over HTTP/2, requests), cut to the life of its mandate.

It is what ends a stream behind a proxy: nobody asks again about a stream that has begun.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

GRPC_TIMEOUT: Final = "grpc-timeout"

_FORM: Final = re.compile(r"([0-9]{1,8})([HMSmun])")
_SECONDS: Final = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_MOST: Final = 99_999_999
_WHOLE: Final = 10.0


def shortened(said: Sequence[str], life: float) -> str:
    """The deadline that ends with a `life` in seconds; empty when the caller's own is nearer.

    Of a life of seconds it is whole seconds, so that it is the same for all calls in one of them.
    """
    asked = _seconds(said[0]) if len(said) == 1 else None
    if asked is not None and asked <= life:
        return ""
    rest = int(life) * 1000 if life >= _WHOLE else int(life * 1000)
    return f"{max(1, min(rest, _MOST))}m"


def _seconds(text: str) -> float | None:
    found = _FORM.fullmatch(text)
    return int(found[1]) * _SECONDS[found[2]] if found else None
