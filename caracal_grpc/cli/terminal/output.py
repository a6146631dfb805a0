"""What commands print: tables and trees for people, one line of JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from caracal_grpc.cli.terminal.stdout import to_nowhere

if TYPE_CHECKING:
    from rich.console import Console

_PIPE_WIDTH: Final = 240
"""Columns where there is no terminal: wide enough for a row of ids to stay one line."""


def print_json(value: Any) -> None:
    """One line of JSON on stdout, at once, so that a reader of a pipe has it."""
    print(json.dumps(value, separators=(",", ":")), flush=True)


def print_line(text: str = "") -> None:
    """One line on stdout."""
    print(plain(text), flush=True)


def note(text: str) -> None:
    """One line on stderr, for people who redirect stdout; lost when stderr fails too."""
    try:
        print(plain(text), file=sys.stderr, flush=True)
    except OSError:
        to_nowhere(sys.stderr)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], empty: str) -> None:
    """A table on stdout, or the line `empty` when there are no rows."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    if table.row_count:
        console().print(table)
    else:
        print_line(empty)


def print_facts(facts: Iterable[tuple[str, Any]]) -> None:
    """Names and values on stdout, those without a value left out."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for name, value in facts:
        if value not in (None, "", [], ()):
            table.add_row(Text(name, style="bold"), Text(_cell(value), overflow="fold"))
    console().print(table)


def console() -> Console:
    """Where people read: as wide as their terminal, or as a pipe takes."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    return Console(highlight=False, markup=False, emoji=False, width=width)


def plain(text: str) -> str:
    """`text` without characters that could steer a terminal."""
    return "".join(each if each.isprintable() or each == "\n" else "?" for each in text)


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(_cell(each) for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else plain(str(value))
