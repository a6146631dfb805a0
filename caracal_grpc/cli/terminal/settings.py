"""Commands whose options are settings: one option for each, and a variable of the same name."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from caracal_grpc.settings.checked import Checked

S = TypeVar("S", bound="Checked")


def variable(setting: str) -> str:
    """The environment variable of a setting."""
    return f"CARACAL_{setting.upper()}"


def command_of(
    model: type[S], work: Callable[..., None], about: str, *own: inspect.Parameter
) -> Callable[..., None]:
    """A command that does `work(settings, **own)`; a flag wins over its variable.

    `own` are options and arguments beside the settings. A setting that is a secret has no flag, and
    its variable is taken out of the environment, so that no child of ours inherits it.
    """

    def command(**options: Any) -> None:
        mine = {each.name: options.pop(each.name) for each in own}
        settings = model.load(_values(model, os.environ, options))
        for name in secret:
            os.environ.pop(variable(name), None)
        work(settings, **mine)

    fields = model.model_fields
    secret = [name for name, field in fields.items() if _is_secret(field)]
    parameters = [_option(name, field) for name, field in fields.items() if name not in secret]
    command.__signature__ = inspect.Signature([*own, *parameters])  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in (*own, *parameters)}
    command.__doc__ = about
    return command


def own(name: str, kind: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    """An option or an argument that is no setting; `kind` is annotated as for any command."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def _values(
    model: type[Checked], environment: Mapping[str, str], options: Mapping[str, Any]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        given = environment.get(variable(name), "")
        if given:
            values[name] = given.replace(",", " ").split() if _is_list(field) else given
    return values | {name: value for name, value in options.items() if value not in (None, [])}


def _option(name: str, field: FieldInfo) -> inspect.Parameter:
    flag = "--" + name.replace("_", "-")
    if field.annotation is bool:
        flag = f"{flag}/--no-{flag.removeprefix('--')}"
    about = f"{_sentence(field)} [env var: {variable(name)}]"
    option = typer.Option(flag, help=about, show_default=False)
    kind = Annotated[_kind(field), option]  # type: ignore[valid-type]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)


def _kind(field: FieldInfo) -> Any:
    """What the parser reads: text mostly, for the settings themselves say what is wrong with it."""
    if field.annotation is bool:
        return bool | None
    return list[str] | None if _is_list(field) else str | None


def _is_secret(field: FieldInfo) -> bool:
    """Whether everybody could read it among the arguments of the process: it has no flag."""
    from pydantic import SecretStr

    return field.annotation == SecretStr | None


def _is_list(field: FieldInfo) -> bool:
    return field.annotation == list[str]


def _sentence(field: FieldInfo) -> str:
    about = str(field.description)
    if field.is_required():
        return f"{about[:1].upper()}{about[1:]}. Required."
    default = field.default
    shown = "" if default in (None, "") or "default" in about else f" Default: {default}."
    return f"{about[:1].upper()}{about[1:]}.{shown}"
