"""`exit-codes`: what the exit code of a command means."""

from __future__ import annotations

from caracal_grpc.cli.context import JsonOption
from caracal_grpc.cli.errors import MEANINGS
from caracal_grpc.cli.terminal.output import print_json, print_table


def exit_codes(json: JsonOption = False) -> None:
    """List the exit codes of every command."""
    if json:
        print_json({str(int(code)): meaning for code, meaning in MEANINGS.items()})
    else:
        rows = ((int(code), meaning) for code, meaning in MEANINGS.items())
        print_table(("code", "meaning"), rows, "")
