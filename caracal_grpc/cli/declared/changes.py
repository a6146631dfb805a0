"""Changes of a zone, shown for people and for programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from caracal_grpc.cli.terminal.output import print_json, print_line, print_table

_SIGNS: Final = {"create": "+", "update": "~", "delete": "-"}
_COLUMNS: Final = ("", "change", "kind", "name", "fields")


def show(zone: str, answer: dict[str, Any]) -> None:
    """What would change in the zone, and what stays though it is not declared."""
    changes, undeclared = answer["changes"], answer["undeclared"]
    if changes:
        print_table(_COLUMNS, ((_SIGNS[each["action"]], *_cells(each)) for each in changes), "")
    else:
        print_line(f"nothing to change in zone {zone}")
    if undeclared:
        print_line(f"not declared in zone {zone}, and stays; --prune removes it:")
        print_table(_COLUMNS, (("?", *_cells(each)) for each in undeclared), "")


def print_answer(
    zone: str, answer: dict[str, Any], written: list[tuple[str, Path]], *, applied: bool
) -> None:
    """One line of JSON; of credentials nothing but where their profiles are."""
    facts = {name: value for name, value in answer.items() if name != "credentials"}
    profiles = [{"application": name, "profile": str(file)} for name, file in written]
    print_json({"zone": zone, "applied": applied, **facts, "credentials": profiles})


def _cells(change: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(change[column] for column in ("action", "kind", "name", "fields"))
