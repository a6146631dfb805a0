"""`tree`: the sessions and delegations of a zone, drawn as what they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, Target, ZoneOption, resolve
from caracal_grpc.cli.delegation.commands import AllOption, reach

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

Node = dict[str, Any]

_STYLES: Final = {"active": "green", "suspended": "yellow", "lapsed": "yellow"}
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def tree(
    top: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="Only this session or delegation, and what is below."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most sessions to draw.")] = 10_000,
    everyone: AllOption = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Draw the sessions and delegations of the zone, each below what it came from."""
    from caracal_grpc.cli.terminal.output import print_json

    target = resolve(profile, zone)
    roots = nested(_nodes(target, limit, everyone))
    if top:
        roots = [each for each in _walk(roots) if top in {each["session"], each["delegation"]}]
    if json:
        print_json({"tree": roots})
    else:
        _draw(roots)


def nested(nodes: Iterable[Node]) -> list[Node]:
    """Each of `nodes` in the list `below` of the one above it; those without one that is known."""
    by_session = {each["session"]: {**each, "below": []} for each in nodes}
    roots: list[Node] = []
    for node in by_session.values():
        above = by_session.get(node["parent"])
        (above["below"] if above else roots).append(node)
    return roots


def time_left(expire_time: str | None, now: datetime) -> str:
    """How long until a time of the wire, in its two largest units; empty without one."""
    if not expire_time:
        return ""
    seconds = int((datetime.fromisoformat(expire_time) - now).total_seconds())
    if seconds <= 0:
        return "over"
    parts = []
    for size, unit in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) + " left"


def _nodes(target: Target, limit: int, everyone: bool) -> list[Node]:
    """What the caller sees: its sessions, and what it passed on to others, oldest first."""
    from caracal_grpc.cli.delegation import calls as delegation_calls
    from caracal_grpc.cli.session import calls as session_calls

    sessions = session_calls.list_sessions(target, "", limit, everyone)
    delegations = delegation_calls.list_delegations(target, "", limit, everyone)
    found = {each["receiver_session_id"]: _of_delegation(each) for each in delegations}
    found |= {each["id"]: _of_session(each) for each in sessions}
    return [found[name] for name in sorted(found)]


def _of_session(session: Mapping[str, Any]) -> Node:
    return {
        "session": session["id"],
        "delegation": session["delegation_id"],
        "parent": session["parent_id"],
        "application": session["application_name"],
        "subject": session["subject"],
        "kind": session["kind"],
        "state": session["state"],
        "ceiling": session["ceiling"],
        "labels": session["labels"],
        "expire_time": session["expire_time"],
    }


def _of_delegation(delegation: Mapping[str, Any]) -> Node:
    """The session of another, as far as the delegation that made it tells of it."""
    return {
        "session": delegation["receiver_session_id"],
        "delegation": delegation["id"],
        "parent": delegation["session_id"],
        "application": delegation["receiver_name"],
        "subject": delegation["subject"],
        "kind": "task",
        "state": delegation["state"],
        "ceiling": delegation["ceiling"],
        "labels": [],
        "expire_time": delegation["expire_time"],
    }


def _walk(nodes: Iterable[Node]) -> Iterable[Node]:
    waiting = list(nodes)
    while waiting:
        node = waiting.pop(0)
        yield node
        waiting.extend(node["below"])


def _draw(roots: list[Node]) -> None:
    from rich.tree import Tree

    from caracal_grpc.cli.terminal.output import console, print_line

    now = datetime.now(UTC)
    for root in roots:
        drawn = Tree(_label(root, now))
        _grow(drawn, root, now)
        console().print(drawn)
    if not roots:
        print_line("no sessions that you may see; see --all")


def _grow(drawn: Tree, node: Node, now: datetime) -> None:
    for below in node["below"]:
        _grow(drawn.add(_label(below, now)), below, now)


def _label(node: Node, now: datetime) -> Text:
    """One line: state, who, by what, how far and how long."""
    from rich.text import Text

    from caracal_grpc.cli.terminal.output import plain

    ends = "standing" if node["kind"] == "standing" else time_left(node["expire_time"], now)
    kind = "service" if node["kind"] == "service" else ""
    names = [node["application"], node["delegation"], node["session"]]
    rest = [*reach(node["ceiling"]), kind, ends]
    label = Text(f"{node['state']:<11}", style=_STYLES.get(node["state"], "red"))
    label.append(plain(" ".join(each for each in [*names, *rest] if each)), style="default")
    return label
