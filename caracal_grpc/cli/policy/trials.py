"""`policy simulate` and `replay`: what a policy answers, and what it would have answered."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption
from caracal_grpc.cli.errors import CliError, ExitCode, usage
from caracal_grpc.cli.policy.calls import ask_policies, replay
from caracal_grpc.cli.policy.source import OfZoneOption

_MAX_INPUT: Final = 65_536
_MAX_HOURS: Final = 366 * 24

CandidateOption = Annotated[
    list[str] | None,
    typer.Option(
        "--candidate",
        metavar="VERSION|FILE",
        help="A version, a manifest, a folder of them, or a *.rego file. Repeatable.",
    ),
]


def simulate(
    candidate: CandidateOption = None,
    application: Annotated[str, typer.Option(help="Who asks, app_… or its name.")] = "",
    resource: Annotated[str, typer.Option(help="For which resource, resource://….")] = "",
    scope: Annotated[
        list[str] | None, typer.Option(help="A scope that is asked for. Default: all. Repeatable.")
    ] = None,
    session: Annotated[
        str, typer.Option(help="The session to ask in, ses_…. Default: the standing one.")
    ] = "",
    context: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="A fact of the context. Repeatable."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--input", help="File with the whole input as JSON, instead.")
    ] = None,
    profile: ProfileOption = None,
    zone: OfZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Ask a policy one question, by default the active one, and show which rules decided."""
    from caracal_grpc.cli.policy.source import candidate as named
    from caracal_grpc.cli.policy.view import RULES, answer_facts, rule_row
    from caracal_grpc.cli.terminal.output import print_facts, print_json, print_table

    question: dict[str, Any] = {
        "application": application,
        "resource": resource,
        "scopes": scope or [],
        "session_id": session,
        "context": dict(map(_fact, context or [])),
    }
    if file is not None:
        if any(question.values()):
            raise usage("--input is the whole question; leave the other options of it out")
        question = {"input_json": _read(file)}
    elif not (application and resource):
        raise usage("name who asks for what, --application and --resource, or give an --input")
    target, fields = named(candidate or [], profile, zone)
    said = ask_policies(target, "Simulate", question=question, **fields)
    if json:
        print_json(said)
        return
    print_facts(answer_facts(said))
    print_table(RULES, map(rule_row, said["rules"]), "no rule took part")


def replay_policy(
    candidate: CandidateOption = None,
    hours: Annotated[
        float, typer.Option(min=0.02, max=_MAX_HOURS, help="How far back, in hours.")
    ] = 24.0,
    profile: ProfileOption = None,
    zone: OfZoneOption = None,
    json: JsonOption = False,
) -> None:
    """List the recorded decisions that a candidate would make otherwise; ends with 6 for any.

    The ledger of the one replica that answers is read: its own decisions of that time.
    """
    from google.protobuf.duration_pb2 import Duration

    from caracal_grpc.cli.policy.source import candidate as named
    from caracal_grpc.cli.policy.view import DIFFERENCES, difference_row
    from caracal_grpc.cli.terminal.output import note, print_json, print_table

    found: list[dict[str, Any]] = []

    def told(progress: dict[str, Any]) -> None:
        found.extend(progress["differences"])
        if sys.stderr.isatty():
            note(_counts(progress))

    if not candidate:
        raise usage("name what to ask, --candidate VERSION or FILE")
    target, fields = named(candidate, profile, zone)
    window = Duration(seconds=round(hours * 3600))
    last = replay(target, {**fields, "window": window}, told)
    if json:
        print_json({**last, "differences": found})
    else:
        print_table(DIFFERENCES, map(difference_row, found), f"no difference: {_counts(last)}")
    if found:
        raise CliError(ExitCode.FOUND, _counts(last))


def _counts(progress: dict[str, Any]) -> str:
    return (
        f"{progress['changed']} of {progress['replayed']} decisions differ, "
        f"{progress['skipped']} hold no question"
    )


def _fact(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise usage("--context must be KEY=VALUE")
    return key, value


def _read(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(_MAX_INPUT + 1)
        if len(content) > _MAX_INPUT:
            raise CliError(ExitCode.USAGE, f"{file} is over {_MAX_INPUT} bytes; make it smaller")
        return content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise CliError(ExitCode.USAGE, f"{file} cannot be read; it must be a JSON file") from exc
