"""Field masks of updates (AIP-134): which fields of what was sent are taken over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from caracal_grpc.core.entry import plain_text
from caracal_grpc.core.errors import field_invalid

M = TypeVar("M", bound=Message)

_EVERYTHING: Final = "*"
_MAX_PATHS: Final = 64


def merged(present: M, wanted: M, mask: FieldMask, leaves: Sequence[str]) -> M:
    """`present` with the fields of `wanted` that `mask` names.

    `leaves` are the paths that can be changed, each of a field that is taken over whole. An empty
    mask names those of them that are set, `*` all. Raises `FIELD_INVALID` for any other path.
    """
    result = type(present)()
    result.CopyFrom(present)
    for path in _named(wanted, tuple(mask.paths), leaves):
        _copy(wanted, result, path)
    return result


def _named(wanted: Message, paths: Sequence[str], leaves: Sequence[str]) -> Iterable[str]:
    if not paths:
        return [leaf for leaf in leaves if _is_set(wanted, leaf)]
    if len(paths) > _MAX_PATHS:
        raise field_invalid("update_mask", f"must be at most {_MAX_PATHS} paths")
    if _EVERYTHING in paths:
        if len(paths) > 1:
            raise field_invalid("update_mask", "must be * alone, or paths without it")
        return leaves
    return [leaf for path in dict.fromkeys(paths) for leaf in _below(path, leaves)]


def _below(path: str, leaves: Sequence[str]) -> list[str]:
    found = [leaf for leaf in leaves if leaf == path or leaf.startswith(f"{path}.")]
    if not found:
        known = ", ".join(leaves)
        raise field_invalid(
            "update_mask", f"{plain_text(path, 64)} cannot be changed; there are {known}"
        )
    return found


def _is_set(message: Message, path: str) -> bool:
    """Whether a field has another value than the default of its type."""
    holder, name = _walk(message, path)
    return any(field.name == name for field, _ in holder.ListFields())


def _copy(source: Message, target: Message, path: str) -> None:
    """Takes one field over, also when it is not set: then it is set back."""
    (give, name), (take, _) = _walk(source, path), _walk(target, path)
    take.ClearField(name)
    if not _has(give, name):
        return
    value = getattr(give, name)
    if isinstance(value, str | int | float | bytes):
        setattr(take, name, value)
    else:
        getattr(take, name).MergeFrom(value)


def _has(message: Message, name: str) -> bool:
    """Whether a field is set; of one that has no presence, always."""
    field = message.DESCRIPTOR.fields_by_name[name]
    return message.HasField(name) if field.has_presence else True


def _walk(message: Any, path: str) -> tuple[Any, str]:
    """The message that holds the field at `path`, and the field's name in it."""
    *parents, name = path.split(".")
    for parent in parents:
        message = getattr(message, parent)
    return message, name


def leaves_of(descriptor: Any, prefix: str) -> Iterator[str]:
    """The path of every field of a message that holds no message itself, below `prefix`."""
    for field in descriptor.fields:
        path = f"{prefix}.{field.name}"
        if field.message_type is None:
            yield path
        else:
            yield from leaves_of(field.message_type, path)
