"""Settings that are refused as a whole when one of them is wrong, missing or unsafe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from caracal_grpc.core.errors import CaracalError, FieldViolation
from caracal_grpc.core.reason import Reason

ENVIRONMENT: Final = "CARACAL_"
"""A setting `kek_file` is the variable `CARACAL_KEK_FILE`; a flag wins over the environment."""

Problems = list[tuple[str, str]]
"""Settings, each with what is wrong with it."""


class Checked(BaseModel):
    """Settings of one command; use `load`, which names the setting that is wrong."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    @classmethod
    def load(cls, values: Mapping[str, Any]) -> Self:
        """The settings in `values`; raises `FIELD_INVALID` naming each that is wrong or missing."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            violations = [_violation(each) for each in error.errors(include_url=False)]
            text = "; ".join(f"{each.field}: {each.description}" for each in violations)
            raise CaracalError(Reason.FIELD_INVALID, text, violations=violations) from None

    def problems(self) -> Problems:
        """What no single field shows; each part of the settings adds its own."""
        return []

    @model_validator(mode="after")
    def _refuse_unsafe(self) -> Self:
        for setting, problem in self.problems():
            raise ValueError(f"{setting}: {problem}")
        return self


def _violation(error: Mapping[str, Any]) -> FieldViolation:
    if error["loc"]:
        name = ".".join(str(part) for part in error["loc"])
        problem = str(error["msg"]).removeprefix("Value error, ")
    else:
        name, _, problem = str(error["msg"]).removeprefix("Value error, ").partition(": ")
    top = name.partition(".")[0]
    return FieldViolation(name, f"{problem} (flag --{top.replace('_', '-')})")
