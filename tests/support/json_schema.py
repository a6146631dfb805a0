"""What a JSON Schema says of a value, for the words that our schemas use (draft 2020-12)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "null": type(None),
}
_KNOWN = {
    "$defs", "$ref", "$schema", "additionalProperties", "anyOf", "default", "description", "enum",
    "items", "maxProperties", "maximum", "minLength", "minProperties", "minimum", "properties",
    "required", "title", "type",
}  # fmt: skip


def faults(schema: dict[str, Any], value: Any) -> list[str]:
    """The paths at which `value` is not what `schema` says."""
    return list(_faults(schema, schema, value, ""))


def _faults(root: dict[str, Any], schema: dict[str, Any], value: Any, path: str) -> Iterator[str]:
    assert schema.keys() <= _KNOWN, schema.keys() - _KNOWN
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        yield from _faults(root, root["$defs"][name], value, path)
        return
    if "anyOf" in schema:
        if all(list(_faults(root, each, value, path)) for each in schema["anyOf"]):
            yield path
        return
    if not _is(schema.get("type"), value) or not _fits(schema, value):
        yield path
    elif isinstance(value, dict):
        yield from _members(root, schema, value, path)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _faults(root, schema["items"], each, f"{path}[{index}]")


def _members(
    root: dict[str, Any], schema: dict[str, Any], value: dict[str, Any], path: str
) -> Iterator[str]:
    for name in schema.get("required", []):
        if name not in value:
            yield f"{path}.{name}"
    for name, each in value.items():
        if name in schema["properties"]:
            yield from _faults(root, schema["properties"][name], each, f"{path}.{name}")
        elif schema.get("additionalProperties") is False:
            yield f"{path}.{name}"


def _is(kind: str | None, value: Any) -> bool:
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return kind is None or isinstance(value, _TYPES[kind])


def _fits(schema: dict[str, Any], value: Any) -> bool:
    if isinstance(value, int) and not schema.get("minimum", value) <= value <= schema.get(
        "maximum", value
    ):
        return False
    if isinstance(value, str) and len(value) < schema.get("minLength", 0):
        return False
    if isinstance(value, dict) and not (
        schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", len(value))
    ):
        return False
    return value in schema.get("enum", [value])
