"""Reading the claims of a token one by one, each in the one shape that it may have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NoReturn

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason

MAX_TEXT: Final = 256
_MAX_SCOPE: Final = 4096
_MAX_TIME: Final = 1 << 40


class Claims:
    """The claims of one token; every method raises `MANDATE_MALFORMED` for another shape."""

    __slots__ = ("_claims",)

    def __init__(self, claims: Mapping[str, Any]) -> None:
        self._claims = claims

    def text(self, name: str, *, empty: bool = False) -> str:
        """A text that must be there, and of at most 256 characters unless it is the scope."""
        value = self._claims.get(name)
        limit = _MAX_SCOPE if name == "scope" else MAX_TEXT
        if not isinstance(value, str) or len(value) > limit or not (value or empty):
            malformed(name)
        return value

    def optional(self, name: str) -> str | None:
        """A text that may be missing."""
        return self.text(name) if name in self._claims else None

    def texts(self, name: str, most: int) -> tuple[str, ...]:
        """At most `most` texts, none of them empty; none when the claim is missing."""
        value = self._claims.get(name, [])
        if not isinstance(value, list) or len(value) > most:
            malformed(name)
        if not all(isinstance(item, str) and 0 < len(item) <= MAX_TEXT for item in value):
            malformed(name)
        return tuple(value)

    def choice(self, name: str, values: tuple[Any, ...]) -> Any:
        """One of `values`."""
        value = self._claims.get(name)
        if value not in values:
            malformed(name)
        return value

    def time(self, name: str) -> int:
        """Whole seconds since the Unix epoch."""
        value = self._claims.get(name)
        if type(value) is not int or not 0 < value < _MAX_TIME:
            malformed(name)
        return value


def malformed(name: str) -> NoReturn:
    """Refuses a token for the claim `name` (`MANDATE_MALFORMED`)."""
    raise CaracalError(
        Reason.MANDATE_MALFORMED, f"the claim {name} is missing or of the wrong shape"
    )
