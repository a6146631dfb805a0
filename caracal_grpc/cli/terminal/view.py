"""Messages of the wire as plain values: what `--json` prints and what tables are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from google.protobuf.message import Message

_OMITTED: Final = "UNSPECIFIED"


def view(message: Message) -> dict[str, Any]:
    """Every field of `message` by its name in the proto, in the order of the proto.

    Times are RFC 3339 in UTC, lives are seconds, enum values are lower-case words, bytes are hex,
    maps are in the order of their keys; a message that is not set is `None`.
    """
    return {field.name: _field(message, field) for field in message.DESCRIPTOR.fields}


def _field(message: Message, field: Any) -> Any:
    value = getattr(message, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return {key: value[key] for key in sorted(value)}
    if isinstance(value, str | int | float | bytes | Message):
        unset = isinstance(value, Message) and not message.HasField(field.name)
        return None if unset else _one(field, value)
    return [_one(field, each) for each in value]


def _one(field: Any, value: Any) -> Any:
    if field.enum_type is not None:
        return _word(field.enum_type, value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Message):
        return _well_known(value.DESCRIPTOR.full_name)(value)
    return value


def _well_known(name: str) -> Callable[[Any], Any]:
    return _WELL_KNOWN.get(name, view)


def _word(kind: Any, value: int) -> str:
    names = kind.values_by_number
    if value not in names:
        return str(value)
    prefix = names[0].name.removesuffix(_OMITTED)
    word = names[value].name.removeprefix(prefix)
    return "" if word == _OMITTED else word.lower()


def _time(value: Any) -> str:
    whole = datetime.fromtimestamp(value.seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    milliseconds = value.nanos // 1_000_000
    return f"{whole}.{milliseconds:03d}Z" if milliseconds else f"{whole}Z"


def _life(value: Any) -> float:
    return float(value.seconds + value.nanos / 1e9)


_WELL_KNOWN: Final[Mapping[str, Callable[[Any], Any]]] = {
    "google.protobuf.Timestamp": _time,
    "google.protobuf.Duration": _life,
}
