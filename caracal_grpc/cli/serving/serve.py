"""`serve`: the authority against an etcd of your own, for production."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from caracal_grpc.core.errors import CaracalError

if TYPE_CHECKING:
    from caracal_grpc.settings.serve import ServeSettings


_ABOUT: Final = "Run the authority against your own etcd, until SIGTERM drains it."
_JSON = Annotated[
    bool, typer.Option("--json", help="Print one line of JSON when ready; log in JSON lines.")
]


def serve_command(arguments: Sequence[str]) -> Callable[..., None]:
    """The command, with one option for each setting.

    The library of the settings takes as long to load as all other commands together: when no
    argument is `serve`, the command is there by name only.
    """
    if "serve" not in arguments:
        return _by_name
    from caracal_grpc.cli.terminal.settings import command_of, own
    from caracal_grpc.settings.serve import ServeSettings

    return command_of(ServeSettings, _serve, _ABOUT, own("json", _JSON, False))


def _by_name() -> None:
    """Stands in the list of commands."""


_by_name.__doc__ = _ABOUT


def _serve(settings: ServeSettings, json: bool) -> None:
    from caracal_grpc.cli.serving.startup import failed_start, hold_log
    from caracal_grpc.cli.terminal.output import print_json, print_line
    from caracal_grpc.server import serve

    release = hold_log(json_lines=json, level=logging.INFO)

    def ready(address: str, http_address: str) -> None:
        release()
        http = {"http": http_address} if http_address else {}
        if json:
            print_json({"authority": address, **http})
        else:
            beside = f", and HTTP on {http_address}" if http else ""
            print_line(f"serving on {address}{beside}; SIGTERM drains it")

    try:
        asyncio.run(serve(settings, ready))
    except CaracalError as error:
        raise failed_start(error, settings.etcd_endpoints) from error
