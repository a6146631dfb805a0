"""What `revoke` asks of the authority, and what it says of the answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from caracal_grpc.cli.connection import ask
from caracal_grpc.cli.context import Target
from caracal_grpc.cli.errors import usage
from caracal_grpc.cli.terminal.options import moment
from caracal_grpc.cli.terminal.output import note, print_line, print_table
from caracal_grpc.cli.terminal.view import view
from caracal_grpc.core.ids import KEY, prefix_of
from caracal_grpc.v1.revocation_pb2 import SessionFilter
from caracal_grpc.v1.revocation_service_pb2 import (
    RevocationServiceRevokeRequest,
    RevocationServiceRevokeResponse,
)
from caracal_grpc.v1.revocation_service_pb2_grpc import RevocationServiceStub

_COLUMNS = ("session", "delegation", "application", "state")


@dataclass(frozen=True, slots=True)
class Aim:
    """What is to be revoked, as the options say it; times as people write them."""

    anchor: str = ""
    application: str = ""
    subject: str = ""
    label: str = ""
    below: str = ""
    created_before: str = ""
    issued_before: str = ""

    @property
    def by_filter(self) -> bool:
        """Whether it is the sessions that a filter fits."""
        parts = (self.application, self.subject, self.label, self.below, self.created_before)
        return any(parts)

    @property
    def is_broad(self) -> bool:
        """Whether nobody can tell from the command alone how much it hits."""
        return not self.anchor

    @property
    def cuts_feeds(self) -> bool:
        """Whether the feeds of edges can run on what it kills, though the edges come back."""
        return bool(self.issued_before) or prefix_of(self.anchor) == KEY

    def request(self, zone: str, reason: str) -> RevocationServiceRevokeRequest:
        """The real thing; raises `CliError` unless it aims at one thing."""
        if [bool(self.anchor), self.by_filter, bool(self.issued_before)].count(True) != 1:
            raise usage("give either ANCHOR, --issued-before, or options that say which sessions")
        request = RevocationServiceRevokeRequest(zone=zone, anchor=self.anchor, reason=reason)
        if self.issued_before:
            at = _timestamp("--issued-before", self.issued_before)
            request.issued_before.CopyFrom(at)
        elif self.by_filter:
            request.filter.CopyFrom(self._filter())
        return request

    def _filter(self) -> SessionFilter:
        wanted = SessionFilter(
            application_id=self.application,
            subject=self.subject,
            label=self.label,
            below=self.below,
        )
        if self.created_before:
            wanted.created_before.CopyFrom(_timestamp("--created-before", self.created_before))
        return wanted


def send(
    target: Target, request: RevocationServiceRevokeRequest, *, dry_run: bool = False
) -> RevocationServiceRevokeResponse:
    """The answer, or with `dry_run` what it would be; raises `CliError`."""
    asked = RevocationServiceRevokeRequest(dry_run=dry_run)
    asked.MergeFrom(request)
    answer: RevocationServiceRevokeResponse = ask(target, RevocationServiceStub, "Revoke", asked)
    return answer


def to_facts(
    request: RevocationServiceRevokeRequest,
    answer: RevocationServiceRevokeResponse,
    *,
    dry_run: bool,
) -> dict[str, Any]:
    """What was revoked and what fell with it, in JSON."""
    asked = view(request)
    named = {name: asked[name] for name in ("anchor", "filter", "issued_before") if asked[name]}
    return {**named, "dry_run": dry_run, **view(answer)}


def print_fallen(answer: RevocationServiceRevokeResponse) -> None:
    """What would fall, each session below the one that it falls with."""
    rows = (
        ("  " * each["depth"] + each["session_id"], *(each[name] for name in _REST))
        for each in view(answer)["fallen"]
    )
    print_table(_COLUMNS, rows, "no session would fall")
    if left := answer.fallen_count - len(answer.fallen):
        note(f"and {left} more")


_REST = ("delegation_id", "application_name", "state")


def print_revoked(
    request: RevocationServiceRevokeRequest, answer: RevocationServiceRevokeResponse
) -> None:
    """One line that says what holds from when on."""
    recorded = f"recorded as {answer.audit_id}" if answer.audit_id else "not recorded yet"
    holds = f"it holds from revision {answer.revision} on; {recorded}"
    print_line(f"revoked {_what(request)}{_fell(answer.fallen_count)}: {holds}")


def question(
    request: RevocationServiceRevokeRequest, answer: RevocationServiceRevokeResponse
) -> str:
    """What to ask before what a dry run answered is done."""
    return f"revoke {_what(request)} of zone {request.zone}{_fell(answer.fallen_count)}?"


def _what(request: RevocationServiceRevokeRequest) -> str:
    if request.HasField("issued_before"):
        return f"all mandates issued before {view(request)['issued_before']}"
    return "the sessions that fit" if request.HasField("filter") else request.anchor


def _fell(count: int) -> str:
    return "" if not count else " with 1 session" if count == 1 else f" with {count} sessions"


def _timestamp(option: str, text: str) -> Timestamp:
    at: datetime = moment(option, text)
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp
