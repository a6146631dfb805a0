"""The JSON Schema of manifests, made from the models that read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from caracal_grpc.cli.manifest.shape import Shape

FILE: Final = Path(__file__).with_name("zone.schema.json")
"""Where it is published: `caracal-grpc schema` prints what is to be in it."""


def schema() -> dict[str, Any]:
    """The schema, draft 2020-12."""
    return schema_of(Shape, "A zone of caracal-grpc")


def schema_of(model: type[BaseModel], title: str) -> dict[str, Any]:
    """The schema of the documents that `model` reads."""
    made: dict[str, Any] = _untitled(model.model_json_schema())
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": draft, **made, "title": title}


def schema_text() -> str:
    """The schema as the file holds it."""
    return text_of(schema())


def text_of(made: dict[str, Any]) -> str:
    """A schema as files hold it."""
    return json.dumps(made, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


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
