"""Questions of guided commands: each is answered by an option, or asked at the terminal."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from caracal_grpc.cli.errors import CliError, usage
from caracal_grpc.core.errors import CaracalError

_TRIES: Final = 3


def _as_it_is(text: str) -> str:
    return text


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: `option` answers it beforehand, `default` when only enter is pressed; it may
    name earlier answers, as `{zone}`.

    `read` makes the answer of the text; a `CaracalError` or `CliError` of it says what is wrong.
    What is `hidden` is not shown while it is typed. An `optional` one may stay empty.
    """

    option: str
    text: str
    default: str = ""
    read: Callable[[str], str] = _as_it_is
    hidden: bool = False
    optional: bool = False


def answers(
    questions: Mapping[str, Question], given: Mapping[str, str | None], *, defaults: bool = False
) -> dict[str, str]:
    """The answer to each question: what is `given`, else the default when `defaults` are taken,
    else what somebody types at the terminal.

    Raises `CliError` for an option that is wrong, and naming all that are missing without a
    terminal.
    """
    said = {name: text for name, text in given.items() if text is not None}
    checked = {name: _given(questions[name], text) for name, text in said.items()}
    terminal = sys.stdin.isatty()
    if not terminal:
        _require_given(questions, checked, defaults=defaults)
    known: dict[str, str] = {}
    for name, question in questions.items():
        default = question.default.format(**known)
        if name in checked:
            known[name] = checked[name]
        elif not terminal or (defaults and (default or question.optional)):
            known[name] = default
        else:
            known[name] = _asked(question, default)
    return known


def _require_given(
    questions: Mapping[str, Question], given: Mapping[str, str], *, defaults: bool
) -> None:
    missing = [
        each.option
        for name, each in questions.items()
        if not (name in given or each.optional or (defaults and each.default))
    ]
    if missing:
        rest = "" if defaults else ", or --yes for the defaults" if _has_defaults(questions) else ""
        raise usage(f"there is no terminal to ask at; give {', '.join(missing)}{rest}")


def _has_defaults(questions: Mapping[str, Question]) -> bool:
    return all(each.default or each.optional for each in questions.values())


def _given(question: Question, text: str) -> str:
    try:
        return _read(question, text)
    except (CaracalError, CliError) as error:
        raise usage(f"{question.option} {_problem(error)}") from error


def _asked(question: Question, default: str) -> str:
    for _ in range(_TRIES):
        text = _typed(question, default) or default
        try:
            return _read(question, text)
        except (CaracalError, CliError) as error:
            print(f"  {_problem(error)}", file=sys.stderr, flush=True)
    raise usage(f"no usable answer in {_TRIES} tries; {question.option} answers it, too")


def _read(question: Question, text: str) -> str:
    if not text and not question.optional:
        raise usage("must not be empty")
    return question.read(text) if text else text


def _typed(question: Question, default: str) -> str:
    """One line from the terminal; the prompt is on stderr, so that stdout stays for results."""
    prompt = f"{question.text} [{default}]: " if default else f"{question.text}: "
    if question.hidden:
        return getpass.getpass(prompt, sys.stderr).strip()
    line = typed(prompt)
    if line is None:
        raise usage(f"the input ended; {question.option} answers it, too")
    return line


def typed(prompt: str) -> str | None:
    """What somebody types when asked on stderr; `None` when the input ends instead."""
    print(prompt, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    if not line:
        print(file=sys.stderr)
    return line.strip() if line else None


def _problem(error: CaracalError | CliError) -> str:
    if isinstance(error, CaracalError) and error.violations:
        return error.violations[0].description
    return str(error)
