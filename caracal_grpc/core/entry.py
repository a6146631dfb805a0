"""The entry: what the ledger keeps of one decision, bounded in size and free of tokens and secrets.

An event is the entry as a JSON object, format version 1: empty fields are left out, numbers are
integers, text holds no control characters. So any text of an entry can be canonicalised (RFC 8785),
stored by any engine and shown on a terminal as it is. Version 2 is the same without what is
personal (`core.personal`); the ledger writes that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import chain
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final

from caracal_grpc.core import personal
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.ids import AUDIT, require_id, require_slug
from caracal_grpc.core.reason import Reason

Detail = str | int | bool | Sequence[str]
"""What one value of `Entry.details` may be."""

VERSION: Final = 1
MAX_TEXT: Final = 512
MAX_ITEMS: Final = 128
MAX_DETAILS: Final = 32
MAX_QUESTION: Final = 32_768
MAX_ANSWER: Final = 16_384
"""Characters of the JSON that a policy was asked, and of what it answered."""
MAX_INT: Final = 2**53 - 1
"""The largest integer that JSON carries exactly everywhere (RFC 8785 section 3.2.2.3)."""

_DECISIONS: Final = frozenset({"allow", "deny", "done"})
_REASONS: Final = frozenset({"", *Reason})
_TYPE: Final = re.compile(r"[a-z][a-z0-9_.]{0,63}")
_DETAIL: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ALWAYS: Final = frozenset({"id", "zone", "time_ms", "type", "decision"})
_NUMBERS: Final = ("time_ms", "hops", "expires_at")
_LISTS: Final = ("actor_chain", "requested_scopes", "granted_scopes", "policy_reasons")
_LONG: Final = {"question": MAX_QUESTION, "answer": MAX_ANSWER}
_DECIDES: Final = frozenset({"exchange", "edge.decision", "upstream.release"})
_ABOUT: Final = ("hold", "anchor", "approval", "delegation", "session", "key")
"""Details that say what a change is about, the first that there is."""


@dataclass(frozen=True, slots=True)
class Narrowing:
    """One step that took scopes away: what did it (`by`), and the scopes that it `kept`."""

    by: str
    kept: tuple[str, ...] = ()


def _no_details() -> Mapping[str, Detail]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One decision or change of state; raises `FIELD_INVALID` when a field breaks its bound.

    `time_ms` is in milliseconds and `expires_at` in seconds since the Unix epoch. `type` is
    dotted, such as `exchange` or `session.start`. `decision` is `allow`, `deny`, or `done` for
    what is not asked of policy. `reason` is the name of a `Reason`, or empty. A text has at most
    512 characters, a list at most 128 items. Use `plain_text` for text that comes from outside.

    `question` is what policy was asked, as JSON, exactly as it was asked; empty when it was not, or
    when that is longer than an entry holds. `answer` is what it came to (`core.answer`).
    """

    id: str
    zone: str
    time_ms: int
    type: str
    decision: str
    reason: str = ""
    application: str = ""
    application_name: str = ""
    subject: str = ""
    subject_type: str = ""
    actor_chain: tuple[str, ...] = ()
    resource: str = ""
    requested_scopes: tuple[str, ...] = ()
    granted_scopes: tuple[str, ...] = ()
    session: str = ""
    root_session: str = ""
    hops: int = 0
    jti: str = ""
    expires_at: int = 0
    request_id: str = ""
    policy_version: str = ""
    policy_reasons: tuple[str, ...] = ()
    narrowing: tuple[Narrowing, ...] = ()
    peer: str = ""
    question: str = ""
    answer: str = ""
    details: Mapping[str, Detail] = field(default_factory=_no_details)

    def __post_init__(self) -> None:
        require_id("id", self.id, AUDIT)
        require_slug("zone", self.zone)
        _require_known(self)
        if not _all_plain(self):
            _require_texts_and_lists(self)
        for name in _NUMBERS:
            _require_number(name, getattr(self, name))
        for name, limit in _LONG.items():
            _require_text(name, getattr(self, name), limit)
        if self.narrowing != ():
            _require_narrowing(self.narrowing)
        object.__setattr__(self, "details", _frozen_details(self.details))

    @property
    def about(self) -> str:
        """The id of what a change of state was made to, such as the anchor that was revoked; empty
        of a decision, which names what it is about in fields of its own.
        """
        if self.type in _DECIDES:
            return ""
        named = (self.details.get(name) for name in _ABOUT)
        return next((each for each in named if isinstance(each, str) and each), "")

    def to_event(self) -> dict[str, Any]:
        """The entry as a JSON-able object of version 1, without its empty fields."""
        event: dict[str, Any] = {"v": VERSION}
        for name in _FIELDS:
            value = getattr(self, name)
            if value or name in _ALWAYS:
                event[name] = _RENDER[name](value) if name in _RENDER else value
        return event

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Entry:
        """The entry that an event of either version holds; of version 2 what is in it. Raises
        `FIELD_INVALID` when it is not such an event.

        `index`, which the ledger adds, is the place of the entry and no part of it.
        """
        version = event.get("v")
        if type(version) is not int or version not in _NO_FIELDS:
            raise field_invalid("v", "must be 1 or 2; a newer release wrote this event")
        values = {name: each for name, each in event.items() if name not in _NO_FIELDS[version]}
        if unknown := values.keys() - set(_FIELDS):
            raise field_invalid(min(unknown), "is not a field of an event")
        if missing := _ALWAYS - values.keys():
            raise field_invalid(min(missing), "must be present")
        for name in _PARSE.keys() & values.keys():
            values[name] = _PARSE[name](name, values[name])
        return cls(**values)


def plain_text(value: str, limit: int = MAX_TEXT) -> str:
    """`value` fit for an entry: control characters become spaces, an overlong end becomes `…`."""
    text = _UNFIT.sub(" ", value[: limit + 1])
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _require_known(entry: Entry) -> None:
    if not isinstance(entry.type, str) or not _TYPE.fullmatch(entry.type):
        raise field_invalid("type", "must be 1 to 64 of a-z, 0-9, dot and underscore")
    if entry.decision not in _DECISIONS:
        raise field_invalid("decision", "must be allow, deny or done")
    if entry.reason not in _REASONS:
        raise field_invalid("reason", "must be the name of a reason, or empty")
    if not entry.time_ms:
        raise field_invalid("time_ms", "must be a time after the Unix epoch")


def _all_plain(entry: Entry) -> bool:
    """The common case in one sweep: every text and item is short and printable ASCII."""
    lists = _lists_of(entry)
    if any(type(items) is not tuple or len(items) > MAX_ITEMS for items in lists):
        return False
    texts = [*_texts_of(entry), *chain.from_iterable(lists)]
    if not {str}.issuperset(map(type, texts)) or max(map(len, texts)) > MAX_TEXT:
        return False
    text = "".join(texts)
    return text.isascii() and text.isprintable()


def _require_texts_and_lists(entry: Entry) -> None:
    for name in _TEXTS:
        _require_text(name, getattr(entry, name))
    for name in _LISTS:
        _require_list(name, getattr(entry, name))


def _require_text(name: str, value: object, limit: int = MAX_TEXT) -> None:
    if not isinstance(value, str) or len(value) > limit or not _is_plain(value):
        raise field_invalid(name, f"must be at most {limit} characters without controls")


def _is_plain(value: str) -> bool:
    return (value.isascii() and value.isprintable()) or not _UNFIT.search(value)


def _require_number(name: str, value: object) -> None:
    if type(value) is not int or not 0 <= value <= MAX_INT:
        raise field_invalid(name, "must be a whole number from 0 to 2^53 - 1")


def _require_list(name: str, value: object) -> None:
    if type(value) is not tuple or len(value) > MAX_ITEMS:
        raise field_invalid(name, f"must be a tuple of at most {MAX_ITEMS} texts")
    for item in value:
        _require_text(name, item)


def _require_narrowing(steps: object) -> None:
    if type(steps) is not tuple or len(steps) > MAX_ITEMS:
        raise field_invalid("narrowing", f"must be a tuple of at most {MAX_ITEMS} steps")
    for step in steps:
        if type(step) is not Narrowing:
            raise field_invalid("narrowing", "must hold objects of by and kept")
        _require_text("narrowing.by", step.by)
        _require_list("narrowing.kept", step.kept)


def _frozen_details(details: object) -> Mapping[str, Detail]:
    if not isinstance(details, Mapping) or len(details) > MAX_DETAILS:
        raise field_invalid("details", f"must be an object of at most {MAX_DETAILS} keys")
    return MappingProxyType({key: _frozen_detail(key, value) for key, value in details.items()})


def _frozen_detail(key: object, value: object) -> Detail:
    if not isinstance(key, str) or not _DETAIL.fullmatch(key):
        raise field_invalid("details", "must have keys of 1 to 64 of a-z, 0-9 and underscore")
    if isinstance(value, list | tuple):
        items = tuple(value)
        _require_list(f"details.{key}", items)
        return items
    if isinstance(value, str):
        _require_text(f"details.{key}", value)
    elif type(value) is not bool and (type(value) is not int or abs(value) > MAX_INT):
        raise field_invalid(f"details.{key}", "must be text, a whole number, a truth or texts")
    return value


def _details_event(details: Mapping[str, Detail]) -> dict[str, Any]:
    return {key: list(v) if isinstance(v, tuple) else v for key, v in details.items()}


def _narrowing_event(steps: tuple[Narrowing, ...]) -> list[dict[str, Any]]:
    return [{"by": step.by, "kept": list(step.kept)} for step in steps]


def _parse_list(name: str, value: object) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise field_invalid(name, "must be a list")
    return tuple(value)


def _parse_narrowing(name: str, value: object) -> tuple[Narrowing, ...]:
    return tuple(_parse_step(name, step) for step in _parse_list(name, value))


def _parse_step(name: str, step: object) -> Narrowing:
    if not isinstance(step, dict) or step.keys() != {"by", "kept"}:
        raise field_invalid(name, "must hold objects of by and kept")
    return Narrowing(step["by"], _parse_list(f"{name}.kept", step["kept"]))


_PLACE: Final = frozenset({"v", "index"})
_NO_FIELDS: Final = {VERSION: _PLACE, personal.VERSION: _PLACE | {personal.COMMITMENT}}
"""What an event of each version has besides fields of the entry."""
_FIELDS: Final = tuple(each.name for each in fields(Entry))
_SPECIAL: Final = {"id", "zone", "type", "decision", "reason", "narrowing", "details"}
_NOT_TEXTS: Final = {*_SPECIAL, *_NUMBERS, *_LISTS, *_LONG}
_TEXTS: Final = tuple(n for n in _FIELDS if n not in _NOT_TEXTS)
_texts_of: Final = attrgetter(*_TEXTS)
_lists_of: Final = attrgetter(*_LISTS)
_RENDER: Final[Mapping[str, Any]] = {
    **dict.fromkeys(_LISTS, list),
    "narrowing": _narrowing_event,
    "details": _details_event,
}
_PARSE: Final[Mapping[str, Any]] = {
    **dict.fromkeys(_LISTS, _parse_list),
    "narrowing": _parse_narrowing,
}
