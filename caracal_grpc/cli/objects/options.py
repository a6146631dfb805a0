"""What the commands of several kinds of objects take, and how they answer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

FilterOption = Annotated[
    str, typer.Option("--filter", help='Only those that fit, such as name = "pay*".')
]
LimitOption = Annotated[int, typer.Option(min=1, help="Most of them to list.")]
EtagOption = Annotated[str, typer.Option(help="Only if it still has this etag, which list shows.")]
FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--credentials", help="Folder for the profile. Default: that of the profile in use."
    ),
]


def print_done(done: Any, as_json: bool, said: str, **more: Any) -> None:
    """That something changed: where it holds, and its entry; `more` are further facts."""
    from caracal_grpc.cli.terminal.output import print_json, print_line

    if as_json:
        print_json({**more, "revision": done.revision, "audit_id": done.audit_id})
    elif done.audit_id:
        print_line(f"{said} at revision {done.revision}, recorded as {done.audit_id}")
    else:
        print_line("nothing to change")


def print_list(
    kind: str, found: list[dict[str, Any]], columns: Mapping[str, str], as_json: bool
) -> None:
    """Objects as a table; `columns` are fields by their titles."""
    from caracal_grpc.cli.terminal.output import print_json, print_table

    if as_json:
        print_json({f"{kind}s": found})
        return
    rows = ([_cell(each[name]) for name in columns.values()] for each in found)
    print_table(tuple(columns), rows, f"no {kind}s that fit")


def print_one(kind: str, found: Mapping[str, Any], as_json: bool) -> None:
    """One object with all that is known of it."""
    from caracal_grpc.cli.terminal.output import print_facts, print_json

    if as_json:
        print_json({kind: found})
    else:
        print_facts((name.replace("_", " "), _cell(value)) for name, value in found.items())


def _cell(value: Any) -> Any:
    """A value as people read it: parts of ceilings, and identities, as options have them."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [_part(each) for each in value]
    return value


def _part(part: Mapping[str, Any]) -> str:
    """A part of a ceiling, or the one thing that an identity is."""
    if "scopes" in part:
        return f"{part['resource']}={','.join(part['scopes'])}"
    said = next((each for each in part.values() if each), "")
    return "/".join(said.values()) if isinstance(said, Mapping) else str(said)
