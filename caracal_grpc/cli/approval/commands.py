"""`approval`: requests that policy holds until somebody, or a proof, releases them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from caracal_grpc.cli.approval import calls
from caracal_grpc.cli.context import JsonOption, ProfileOption, ZoneOption, resolve
from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.cli.terminal.bare import show_help

approvals = typer.Typer(
    callback=show_help,
    invoke_without_command=True,
    help="See, wait for and decide requests that policy holds.",
)

AllOption = Annotated[
    bool,
    typer.Option(
        "--all",
        help="Those of others too; needs caracal:approvals:decide. Implied for another zone.",
    ),
]
ApprovalArgument = Annotated[str, typer.Argument(metavar="APPROVAL", help="The approval, apr_….")]
BindingOption = Annotated[
    str, typer.Option(help="The binding of what you saw, as `approval get` shows it.")
]
ReasonOption = Annotated[str, typer.Option(help="Why, for the ledger.")]

_COLUMNS: Final = ("approval", "state", "application", "resource", "scopes", "reviews", "ends")
_MAX_WAIT: Final = 604_800


@approvals.command("list")
def list_approvals(
    state: Annotated[str, typer.Option(help="Only those in this state, such as pending.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Most approvals to list.")] = 100,
    everyone: AllOption = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """List approvals, in the order of their ids: oldest first."""
    from caracal_grpc.cli.terminal.output import print_json, print_table

    found = calls.list_approvals(resolve(profile, zone), state, limit, everyone)
    if json:
        print_json({"approvals": found})
    else:
        print_table(_COLUMNS, map(_row, found), "no approvals that you may see; see --all")


@approvals.command("get")
def get_approval(
    approval: ApprovalArgument,
    everyone: AllOption = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Show one approval with all that was said about it."""
    from caracal_grpc.cli.terminal.output import print_facts, print_json

    found = calls.get_approval(resolve(profile, zone), approval, everyone)
    if json:
        print_json({"approval": found})
    else:
        print_facts(_facts(found))


@approvals.command("wait")
def wait_for_approval(
    approval: ApprovalArgument,
    timeout: Annotated[
        int | None,
        typer.Option(min=1, max=_MAX_WAIT, help="Seconds to wait. Default: until it expires."),
    ] = None,
    everyone: AllOption = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Wait until it is decided; ends with 0 only when the request may now be sent with it."""
    from caracal_grpc.cli.terminal.output import note, print_facts, print_json

    def told(now: dict[str, Any]) -> None:
        if now["state"] == "pending":
            note(f"{approval} is pending: {_reviews(now)} reviews")

    target = resolve(profile, zone)
    found = calls.wait_for(target, approval, timeout, everyone, told)
    if json:
        print_json({"approval": found})
    else:
        print_facts(_facts(found))
    if found["state"] != "approved":
        raise CliError(ExitCode.REFUSED, f"approval {approval} is {found['state']}")


@approvals.command("approve")
def approve_request(
    approval: ApprovalArgument,
    binding: BindingOption,
    reason: ReasonOption = "",
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Approve a held request, as you saw it."""
    target = resolve(profile, zone)
    _print_decided(calls.approve(target, approval, binding, reason), json)


@approvals.command("reject")
def reject_request(
    approval: ApprovalArgument,
    binding: BindingOption,
    reason: ReasonOption = "",
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Reject a held request, also one that was approved and not used yet."""
    target = resolve(profile, zone)
    _print_decided(calls.reject(target, approval, binding, reason), json)


@approvals.command("release")
def release_request(
    approval: ApprovalArgument,
    proof_file: Annotated[
        Path, typer.Option(help="File with the proof of the proof system, a JWT; - reads stdin.")
    ],
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Release a held request by the proof of the proof system that it names."""
    from caracal_grpc.cli.token_file import read_token

    target = resolve(profile, zone)
    proof = read_token("--proof-file", proof_file, "a proof")
    _print_decided(calls.release(target, approval, proof), json)


def _print_decided(decided: dict[str, Any], as_json: bool) -> None:
    from caracal_grpc.cli.terminal.output import print_facts, print_json

    if as_json:
        print_json(decided)
    else:
        print_facts([*_facts(decided["approval"]), ("recorded as", decided["audit_id"])])


def _row(found: dict[str, Any]) -> list[Any]:
    names = ("id", "state", "application_name", "resource", "scopes")
    return [*(found[name] for name in names), _reviews(found), found["expire_time"]]


def _reviews(found: dict[str, Any]) -> str:
    given = len({vote["subject"] for vote in found["votes"] if vote["approved"]})
    return f"{given} of {found['reviews_needed']}"


def _facts(found: dict[str, Any]) -> list[tuple[str, Any]]:
    shown = {
        **found,
        "user": found["user"] and found["user"]["name"],
        "context": [f"{name}={value}" for name, value in found["context"].items()],
        "votes": [_vote(vote) for vote in found["votes"]],
    }
    return [(name.replace("_", " "), value) for name, value in shown.items()]


def _vote(vote: dict[str, Any]) -> str:
    word = "approved" if vote["approved"] else "rejected"
    why = f": {vote['reason']}" if vote["reason"] else ""
    return f"{word} by {vote['subject']} at {vote['time']}{why};"
