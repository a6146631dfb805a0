"""Filters of lists: a small subset of AIP-160, the same for every kind of object.

Comparisons joined by `AND`, such as `name = "pay*" AND labels:batch AND disabled = false`:

    field = value     the field is that; a `*` at the end of a text stands for any rest
    field != value    it is not
    field:value       one of the field's members is that; `field:*` when it has any

A text is between double quotes, in which a backslash takes the next character as it is; one of
letters, digits and `_ - . : / *` may stand without them. There is no OR, no NOT, no nesting.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from caracal_grpc.core.errors import CaracalError, field_invalid

MAX_FILTER: Final = 2_000
"""Characters of a filter."""
MAX_COMPARISONS: Final = 16

Operator = Literal["=", "!=", ":"]
Type = Literal["text", "flag", "texts"]
"""What a field holds: one text, yes or no, or several texts."""

_SPACE: Final = re.compile(r"\s*")
_WORD: Final = re.compile(r"[A-Za-z_]+")
_OPERATOR: Final = re.compile(r"!=|=|:")
_VALUE: Final = re.compile(r'"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[A-Za-z0-9_.:/*-]+)', re.DOTALL)
_OPERATORS: Final[Mapping[Type, tuple[Operator, ...]]] = {
    "text": ("=", "!="),
    "flag": ("=", "!="),
    "texts": (":",),
}
_FLAGS: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One field held against one value; `prefix` when only its beginning is given."""

    field: str
    operator: Operator
    value: str | bool
    prefix: bool = False

    def fits(self, value: Any) -> bool:
        """Whether the field's `value` is as wanted."""
        if self.operator == ":":
            return any(self._is(each) for each in value)
        return self._is(value) is (self.operator == "=")

    def _is(self, value: Any) -> bool:
        if self.prefix:
            return str(value).startswith(str(self.value))
        return bool(value == self.value)


@dataclass(frozen=True, slots=True)
class Filter:
    """What every one of `comparisons` fits; none of them fits everything."""

    comparisons: tuple[Comparison, ...] = ()

    def fits(self, read: Callable[[str], Any]) -> bool:
        """Whether the object whose fields `read` gives by their names is one of those wanted."""
        return all(each.fits(read(each.field)) for each in self.comparisons)


def parse_filter(path: str, text: str, fields: Mapping[str, Type]) -> Filter:
    """The filter that `text` says of objects with `fields`.

    Raises `FIELD_INVALID` for the field `path`, with the column of what is wrong.
    """
    if len(text) > MAX_FILTER:
        raise field_invalid(path, f"must be at most {MAX_FILTER} characters")
    return _Reader(path, text, fields).read()


class _Reader:
    """Reads comparisons out of a text, from the front."""

    def __init__(self, path: str, text: str, fields: Mapping[str, Type]) -> None:
        self._path = path
        self._text = text
        self._fields = fields
        self._at = 0
        self._begin = 0

    def read(self) -> Filter:
        """All of it."""
        found: list[Comparison] = []
        while not self._ended():
            if found and self._take(_WORD, "AND")[0] != "AND":
                raise self._wrong("must be AND; there is no other connective")
            if len(found) == MAX_COMPARISONS:
                raise field_invalid(self._path, f"must be at most {MAX_COMPARISONS} comparisons")
            found.append(self._comparison())
        return Filter(tuple(found))

    def _comparison(self) -> Comparison:
        known = f"a field: {', '.join(sorted(self._fields))}"
        name = self._take(_WORD, known)[0]
        if name not in self._fields:
            raise self._wrong(f"must be {known}")
        kind = self._fields[name]
        fitting = f"{' or '.join(_OPERATORS[kind])}, after {name}"
        written = self._take(_OPERATOR, fitting)[0]
        for operator in _OPERATORS[kind]:
            if operator == written:
                return self._held(name, kind, operator)
        raise self._wrong(f"must be {fitting}")

    def _held(self, name: str, kind: Type, operator: Operator) -> Comparison:
        word = self._take(_VALUE, "a value; put a text between double quotes")
        if kind == "flag":
            if word[0] not in _FLAGS:
                raise self._wrong(f"must be true or false, as {name} is")
            return Comparison(name, operator, _FLAGS[word[0]])
        return Comparison(name, operator, *_text(word))

    def _ended(self) -> bool:
        """Whether nothing but space is left."""
        space = _SPACE.match(self._text, self._at)
        return space is not None and space.end() == len(self._text)

    def _take(self, form: re.Pattern[str], what: str) -> re.Match[str]:
        """The next word, which must have `form`: it is `what`."""
        space = _SPACE.match(self._text, self._at)
        self._at = space.end() if space else self._at
        self._begin = self._at
        word = form.match(self._text, self._at)
        if word is None:
            raise self._wrong(f"must be {what}")
        self._at = word.end()
        return word

    def _wrong(self, text: str) -> CaracalError:
        """The refusal of the word that was read last."""
        return field_invalid(self._path, f"column {self._begin + 1}: {text}")


def _text(word: re.Match[str]) -> tuple[str, bool]:
    """The text that is meant, and whether any rest may follow; a star with a backslash is one."""
    quoted, bare = word["quoted"], word["bare"]
    if quoted is None:
        return bare.removesuffix("*"), bare.endswith("*")
    plain = re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
    prefix = re.fullmatch(r"(?:[^\\]|\\.)*\*", quoted, re.DOTALL) is not None
    return (plain[:-1] if prefix else plain), prefix
