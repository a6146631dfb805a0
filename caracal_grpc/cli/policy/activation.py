"""`policy activate`, `rollback` and `status`: which version decides, and where it does."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, Target, ZoneOption, resolve
from caracal_grpc.cli.policy.calls import ask_policies, loads, wait_loaded

_MAX_WAIT: Final = 86_400

ExpectOption = Annotated[
    str, typer.Option("--expect", help="Only if this version is the active one, sha256:….")
]
WaitOption = Annotated[bool, typer.Option("--wait", help="Wait until every replica has loaded it.")]
TimeoutOption = Annotated[
    float, typer.Option(min=0.1, max=_MAX_WAIT, help="Seconds to wait at most.")
]


def activate(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="The version, sha256:….")],
    expect: ExpectOption = "",
    wait: WaitOption = False,
    timeout: TimeoutOption = 60.0,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Let a version decide, at every replica."""
    target = resolve(profile, zone)
    done = ask_policies(target, "Activate", version=version, expected_active=expect)
    _print_done(target, {"version": version, **done}, wait, timeout, json)


def rollback(
    expect: ExpectOption = "",
    wait: WaitOption = False,
    timeout: TimeoutOption = 60.0,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Let the version decide again that did before."""
    target = resolve(profile, zone)
    done = ask_policies(target, "Rollback", expected_active=expect)
    _print_done(target, done, wait, timeout, json)


def status(
    wait: WaitOption = False,
    timeout: TimeoutOption = 60.0,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Show which version decides, since when, and how far each replica is with it."""
    from caracal_grpc.cli.policy.view import ACTIVATIONS, REPLICAS, activation_row, replica_row
    from caracal_grpc.cli.terminal.output import print_facts, print_json, print_table

    target = resolve(profile, zone)
    loaded = wait_loaded(target, timeout, _note) if wait else None
    shown = loaded or ask_policies(target, "GetStatus")
    if json:
        print_json(shown)
        return
    facts = [(name, shown[name]) for name in ("active", "shadow", "frozen")]
    print_facts([("zone", target.zone), *facts])
    print_table(REPLICAS, map(replica_row, shown["replicas"]), "no replica has told how far it is")
    print_table(ACTIVATIONS, map(activation_row, shown["activations"]), "nothing was activated yet")


def _print_done(
    target: Target, done: dict[str, Any], wait: bool, timeout: float, as_json: bool
) -> None:
    """What was done comes first: it holds, whether or not every replica is with it in time."""
    from caracal_grpc.cli.terminal.output import note, print_json, print_line

    if as_json and not wait:
        print_json(done)
    elif not as_json:
        print_line(_text(done))
    if wait:
        shown: dict[str, Any] | None = None
        try:
            shown = wait_loaded(target, timeout, _note)
            note(f"loaded by {loads(shown)}")
        finally:
            if as_json:
                print_json({**done, "replicas": shown["replicas"] if shown else None})


def _text(done: dict[str, Any]) -> str:
    if not done["audit_id"]:
        return f"{done['version']} decides already"
    before = done["previous"] or "no policy"
    return f"{done['version']} decides in the place of {before}, recorded as {done['audit_id']}"


def _note(shown: dict[str, Any]) -> None:
    """Shows on a terminal how far replicas are."""
    import sys

    from caracal_grpc.cli.terminal.output import note

    if sys.stderr.isatty():
        note(f"loaded by {loads(shown)}")
