"""`serve`: the authority against an etcd of your own, for production."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from caracal_grpc.core.errors import CaracalError

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from caracal_grpc.settings.serve import ServeSettings


_ABOUT: Final = "Run the authority against your own etcd, until SIGTERM drains it."


def serve_command(arguments: Sequence[str]) -> Callable[..., None]:
    """The command, with one option for each setting; a flag wins over its variable.

    Its options are those of the settings, whose library takes as long to load as all other commands
    together: when no argument is `serve`, the command is there by name only.
    """
    serve = _with_options() if "serve" in arguments else _by_name
    serve.__doc__ = _ABOUT
    return serve


def variable(setting: str) -> str:
    """The environment variable of a setting."""
    return f"CARACAL_{setting.upper()}"


def _by_name() -> None:
    """Stands in the list of commands."""


def _with_options() -> Callable[..., None]:
    from caracal_grpc.settings.serve import ServeSettings

    def serve(**options: Any) -> None:
        as_json = bool(options.pop("json"))
        settings = _settings(os.environ, options)
        for name in secret:
            os.environ.pop(variable(name), None)  # no child of ours is to inherit it
        _serve(settings, as_json)

    fields = ServeSettings.model_fields
    secret = [name for name, field in fields.items() if _is_secret(field)]
    parameters = [_option(name, field) for name, field in fields.items() if name not in secret]
    serve.__signature__ = inspect.Signature([*parameters, _JSON])  # type: ignore[attr-defined]
    serve.__annotations__ = {each.name: each.annotation for each in (*parameters, _JSON)}
    return serve


def _settings(environment: Mapping[str, str], options: Mapping[str, Any]) -> ServeSettings:
    from caracal_grpc.settings.serve import ServeSettings

    values: dict[str, Any] = {}
    for name, field in ServeSettings.model_fields.items():
        given = environment.get(variable(name), "")
        if given:
            values[name] = given.replace(",", " ").split() if _is_list(field) else given
    values |= {name: value for name, value in options.items() if value not in (None, [])}
    return ServeSettings.load(values)


def _serve(settings: ServeSettings, as_json: bool) -> None:
    from caracal_grpc.cli.serving.startup import failed_start, hold_log
    from caracal_grpc.cli.terminal.output import print_json, print_line
    from caracal_grpc.server import serve

    release = hold_log(json_lines=as_json, level=logging.INFO)

    def ready(address: str) -> None:
        release()
        if as_json:
            print_json({"authority": address})
        else:
            print_line(f"serving on {address}; SIGTERM drains it")

    try:
        asyncio.run(serve(settings, ready))
    except CaracalError as error:
        raise failed_start(error, settings.etcd_endpoints) from error


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


_JSON = inspect.Parameter(
    "json",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[
        bool, typer.Option("--json", help="Print one line of JSON when ready; log in JSON lines.")
    ],
)
