"""What a command ends with when it does not succeed: lines on stderr and a documented exit code."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason

DEBUG_VARIABLE: Final = "CARACAL_DEBUG"
"""When set, an unforeseen fault shows its traceback, and a failed start its log."""


class ExitCode(IntEnum):
    """The exit codes of every command; `MEANINGS` says what each one means."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    STATE = 3
    CREDENTIAL = 4
    UNAVAILABLE = 5
    FOUND = 6
    FAULT = 7
    OUTPUT = 8
    TIMEOUT = 9
    FORK = 10
    HUNG_UP = 129
    INTERRUPTED = 130
    BROKEN_PIPE = 141
    TERMINATED = 143


MEANINGS: Final = {
    ExitCode.OK: "done",
    ExitCode.REFUSED: "refused: policy, scopes, a ceiling, an approval or a limit says no",
    ExitCode.USAGE: "wrong usage: an option, a field, a setting, a manifest or a missing file",
    ExitCode.STATE: "not found, there already, or in conflict with a change at the same time",
    ExitCode.CREDENTIAL: "no profile, one that is unfit, or a credential that is not accepted",
    ExitCode.UNAVAILABLE: "unavailable: the authority, etcd, the ledger or the data directory",
    ExitCode.FOUND: "found something: doctor, diff, plan, or what verifies, checks or replays",
    ExitCode.FAULT: "a fault of the authority or of this program, or a demo that misbehaved",
    ExitCode.OUTPUT: "stdout cannot be written, though what was asked for may be done already",
    ExitCode.TIMEOUT: "the time to wait was over before what was waited for came to pass",
    ExitCode.FORK: "a ledger contradicts what it signed before: both notes are kept as evidence",
    ExitCode.HUNG_UP: "ended by SIGHUP (dev ends with 0 once it has begun)",
    ExitCode.INTERRUPTED: "interrupted (dev and serve end with 0 instead)",
    ExitCode.BROKEN_PIPE: "the reader of stdout went away (SIGPIPE)",
    ExitCode.TERMINATED: "ended by SIGTERM (dev and serve end with 0 once they have begun)",
}
"""The table that `exit-codes` prints."""

_OF_CODE: Final = {
    "UNAUTHENTICATED": ExitCode.CREDENTIAL,
    "PERMISSION_DENIED": ExitCode.REFUSED,
    "FAILED_PRECONDITION": ExitCode.REFUSED,
    "RESOURCE_EXHAUSTED": ExitCode.REFUSED,
    "INVALID_ARGUMENT": ExitCode.USAGE,
    "NOT_FOUND": ExitCode.STATE,
    "ALREADY_EXISTS": ExitCode.STATE,
    "ABORTED": ExitCode.STATE,
    "UNAVAILABLE": ExitCode.UNAVAILABLE,
    "DEADLINE_EXCEEDED": ExitCode.UNAVAILABLE,
    "CANCELLED": ExitCode.UNAVAILABLE,
    "UNIMPLEMENTED": ExitCode.USAGE,
}
_OF_REASON: Final = {
    Reason.KEY_STATE_CONFLICT: ExitCode.STATE,
    Reason.SESSION_NOT_ACTIVE: ExitCode.STATE,
    Reason.LEASE_FENCED: ExitCode.STATE,
    Reason.RATE_LIMITED: ExitCode.UNAVAILABLE,
    Reason.METADATA_TOO_LARGE: ExitCode.USAGE,
}
"""Reasons that mean something else to a script than their gRPC code does."""

_SHOWN: Final = (
    "missing",
    "audit_id",
    "policy_reasons",
    "approval_id",
    "anchor",
    "session",
    "generation",
)


class CliError(Exception):
    """The end of a command: lines for people, one a problem, and the exit code for programs."""

    def __init__(self, code: ExitCode, *lines: str) -> None:
        super().__init__("; ".join(lines))
        self.code = code
        self.lines: Sequence[str] = lines


def usage(text: str) -> CliError:
    """A command line, a file or a field that is wrong."""
    return CliError(ExitCode.USAGE, text)


def of_refusal(error: CaracalError) -> CliError:
    """The end that a refusal means."""
    code = _OF_REASON.get(error.reason, of_status(error.code))
    return CliError(code, f"{error.message} ({'; '.join(_details(error))})")


def of_status(name: str) -> ExitCode:
    """The exit code for the name of a gRPC status code."""
    return _OF_CODE.get(name, ExitCode.FAULT)


def _details(error: CaracalError) -> list[str]:
    """The reason, then what of its metadata helps to go on."""
    known = {name: error.metadata.get(name) for name in _SHOWN}
    return [error.reason.value, *(f"{name} {value}" for name, value in known.items() if value)]
