"""Pages of a list that is in the order of its names, and the tokens by which they go on."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from caracal_grpc.core.errors import field_invalid

T = TypeVar("T")

MAX_TOKEN: Final = 600
_DIGEST: Final = 16
_TOKEN: Final = re.compile(r"([0-9a-f]{16})((?:[0-9a-f]{2})+)")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list; `next_token` is empty for the last of it."""

    items: tuple[T, ...]
    next_token: str = ""


def page_of(
    found: Iterable[T], name: Callable[[T], str], question: str, size: int, token: str
) -> Page[T]:
    """The first `size` of `found` after the page that `token` ended.

    `found` is in the order of `name`. `question` is all that decides what is found, such as a zone
    and a filter: a token of another question is `FIELD_INVALID`, and so is any other text.
    """
    digest, after = _digest(question), last_of(question, token)
    items: list[T] = []
    for each in found:
        if name(each) <= after:
            continue
        if len(items) == size:
            return Page(tuple(items), digest + name(items[-1]).encode().hex())
        items.append(each)
    return Page(tuple(items))


def last_of(question: str, token: str) -> str:
    """The last name of the page that `token` ended, empty without one; raises as `page_of`."""
    return _last(token, _digest(question)) if token else ""


def _digest(question: str) -> str:
    return hashlib.sha256(question.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]


def _last(token: str, digest: str) -> str:
    """The last name of the page before."""
    read = _TOKEN.fullmatch(token) if len(token) <= MAX_TOKEN else None
    if read is not None and read[1] == digest:
        try:
            return bytes.fromhex(read[2]).decode()
        except UnicodeDecodeError:
            pass
    raise field_invalid(
        "page_token", "is of no page of this list; send that of the page before, or none"
    )
