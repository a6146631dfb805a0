"""The JSON Schema of manifests, made from the models that read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from caracal_grpc.cli.manifest.shape import Shape

FILE: Final = Path(__file__).with_name("zone.schema.json")
"""Where it is published: `caracal-grpc schema` prints what is to be in it."""


def schema() -> dict[str, Any]:
    """The schema, draft 2020-12."""
    made: dict[str, Any] = _untitled(Shape.model_json_schema())
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": draft, **made, "title": "A zone of caracal-grpc"}


def schema_text() -> str:
    """The schema as the file holds it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _untitled(value: Any) -> Any:
    """`value` without the titles that only repeat names of fields."""
    if isinstance(value, list):
        return [_untitled(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _untitled(each)
        for name, each in value.items()
        if name != "title" or not isinstance(each, str)
    }
