"""Settings that are a document of their own; what is wrong is told by its path in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo

from caracal_grpc.core.errors import CaracalError, FieldViolation
from caracal_grpc.core.reason import Reason

P = TypeVar("P", bound="Part")
T = TypeVar("T")

_MAX_SHOWN: Final = 16

_TEXTS: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "too_short": "must have one at least",
    "extra_forbidden": "is no key here",
    "string_type": "must be text; put it in quotes",
    "bool_type": "must be true or false",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "list_type": "must be a list",
    "path_type": "must be the path of a file",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
}


class Part(BaseModel):
    """A mapping of the document."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True
    )


def _in_folder(path: Path, info: ValidationInfo) -> Path:
    context: Mapping[str, Path] = info.context or {}
    return context.get("folder", Path()) / path


FilePath = Annotated[Path, Field(strict=False), AfterValidator(_in_folder)]
"""A file that the document names; one that is relative is so to the folder of the document."""


def read_document(model: type[P], document: object, folder: Path) -> P:
    """What `document` says, as `model`; its files are relative to `folder`.

    Raises `FIELD_INVALID` with a violation for each path that is wrong or missing.
    """
    try:
        return model.model_validate(document, context={"folder": folder})
    except ValidationError as error:
        raise refusal(_violation(each) for each in error.errors(include_url=False)) from None


def refusal(violations: Iterable[FieldViolation]) -> CaracalError:
    """The refusal of a document for these; there is one at least."""
    found = tuple(violations)[:_MAX_SHOWN]
    text = "; ".join(f"{each.field}: {each.description}" for each in found)
    return CaracalError(Reason.FIELD_INVALID, text, violations=found)


def shown(place: Iterable[str | int]) -> str:
    """A path as people write it, `inbound.routes[0].path`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return "".join(parts).removeprefix(".")


def within(path: str, make: Callable[[], T], called: str = "") -> T:
    """What `make` makes of what stands at `path`; raises `FIELD_INVALID` naming it.

    `called` is what `make` itself calls it, at the beginning of the fields of its refusals; those
    that begin otherwise are of somewhere else, and stay as they are. Without it all are moved.
    """
    try:
        return make()
    except CaracalError as error:
        if error.reason is not Reason.FIELD_INVALID:
            raise
        raise refusal(_moved(each, path, called) for each in error.violations) from error


def _moved(violation: FieldViolation, path: str, called: str) -> FieldViolation:
    if not violation.field.startswith(called):
        return violation
    inner = violation.field.removeprefix(called) if called else f".{violation.field}"
    return FieldViolation(f"{path}{inner}", violation.description)


def _violation(error: Mapping[str, Any]) -> FieldViolation:
    said = str(error["msg"]).removeprefix("Value error, ")
    text = _TEXTS.get(error["type"], f"{said[:1].lower()}{said[1:]}")
    return FieldViolation(shown(error["loc"]) or "document", text)
