"""Entries of the ledger as plain values, and as they are shown: one by one or page by page."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from caracal_grpc.cli.terminal.output import note, plain, print_json, print_line, print_table
from caracal_grpc.cli.terminal.view import view

_COLUMNS: Final = ("time", "entry", "type", "decision", "application", "resource", "scopes")


def entry_view(entry: Any) -> dict[str, Any]:
    """An `AuditEntry` by the names of the proto, with `event` in the place of its bytes, and
    `personal` as what it discloses.
    """
    shown = view(entry)
    del shown["canonical"]
    return {**shown, "personal": _parsed(entry.personal), "event": _parsed(entry.canonical)}


def print_entry(entry: Any, *, as_json: bool) -> None:
    """One entry as one line."""
    shown = entry_view(entry)
    if as_json:
        print_json(shown)
        return
    cells = (" ".join(cell) if isinstance(cell, list) else cell for cell in _row(shown))
    print_line(plain("  ".join(cell for cell in cells if cell)))


class Table:
    """What was found, for people: a table a page."""

    def __init__(self) -> None:
        self._any = False

    def add(self, entries: Iterable[Any]) -> None:
        """Shows a page."""
        rows = [_row(entry_view(each)) for each in entries]
        if rows:
            self._any = True
            print_table(_COLUMNS, rows, "")

    def end(self, token: str) -> None:
        """Says when there was nothing, and where to go on."""
        if not self._any:
            print_line("nothing was found")
        if token:
            note(f"there are more; go on with --page-token {token}")


class JsonList:
    """What was found, for programs: one object in one line, written as it comes."""

    def __init__(self) -> None:
        self._before = '{"entries":['

    def add(self, entries: Iterable[Any]) -> None:
        """Writes a page."""
        for each in entries:
            self._write(json.dumps(entry_view(each), separators=(",", ":")))
            self._before = ","

    def end(self, token: str) -> None:
        """Ends the object with where to go on."""
        opened = "" if self._before == "," else self._before
        print(f'{opened}],"next_page_token":{json.dumps(token)}}}', flush=True)

    def _write(self, text: str) -> None:
        print(f"{self._before}{text}", end="")


def _row(entry: dict[str, Any]) -> list[Any]:
    ended = f"{entry['decision']} {entry['reason']}".strip()
    who = entry["application_name"] or entry["application_id"]
    scopes = entry["granted_scopes"] or entry["requested_scopes"]
    return [entry["time"], entry["id"], entry["type"], ended, who, entry["resource"], scopes]


def _parsed(canonical: bytes) -> Any:
    try:
        return json.loads(canonical)
    except (ValueError, RecursionError):
        return None
