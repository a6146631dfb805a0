"""The secret of an upstream: from a file, from stdin or from the terminal, never an argument."""

from __future__ import annotations

import sys
from typing import Final

from caracal_grpc.cli.errors import CliError, ExitCode, usage
from caracal_grpc.core.errors import CaracalError

OPTION: Final = "--secret-file"
_STDIN: Final = "-"
_MAX: Final = 8_192
"""Characters of stdin that are read: more than a secret may have, so that too much is noticed."""


def read_secret(path: str) -> str:
    """The secret in the file at `path`, `-` for stdin, without the end of its line.

    Space around it is part of it. Raises `CliError`.
    """
    text = sys.stdin.read(_MAX) if path == _STDIN else _of_file(path)
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret:
        raise usage(f"{OPTION} {path} is empty; it must hold the secret")
    return secret


def ask_secret() -> str:
    """The secret that somebody types; raises `CliError` without a terminal."""
    from caracal_grpc.cli.terminal.questions import Question, answers

    question = Question(OPTION, "secret (it is not shown)", hidden=True)
    return answers({"secret": question}, {})["secret"]


def _of_file(path: str) -> str:
    from caracal_grpc.crypto.secret_file import read_secret_bytes

    try:
        return read_secret_bytes(path).decode()
    except CaracalError as error:
        raise CliError(ExitCode.CREDENTIAL, f"{OPTION} {error.message}") from error
    except UnicodeDecodeError as error:
        raise usage(f"{OPTION} {path} must hold text in utf-8") from error
