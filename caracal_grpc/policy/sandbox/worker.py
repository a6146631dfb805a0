"""The child's side: one policy, asked over standard input and answering over standard output.

It runs as `python -m`, and ends when its input does. What it evaluates is hostile by assumption:
the kernel bounds its memory and lets it open, write and start nothing; an alarm ends it when it has
taken far longer than it may, should its parent not have done so; and it has no environment to tell.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from caracal_grpc.policy.sandbox import frames

if TYPE_CHECKING:
    from caracal_grpc.core.errors import CaracalError
    from caracal_grpc.policy.bundle import Bundle

_PR_SET_PDEATHSIG: Final = 1
_NICE: Final = 5
"""How far trials stand back behind decisions."""
_RESERVING: Final = frozenset({"regopy"})
"""Engines whose allocator reserves hundreds of GiB when it is loaded, to use next to none of it."""
_NEEDED: Final = ("caracal_grpc.policy.trial", "caracal_grpc.policy.sandbox.values")
_PATIENCE: Final = 20
"""How many times its budget a request may take before the alarm; the parent is far stricter."""


class Worker:
    """What was compiled, and what may be asked of it."""

    def __init__(self) -> None:
        self._handlers: Mapping[bytes, Callable[[str], Any]] = {
            frames.COMPILE: self._compile,
            frames.DECIDE: self._decide,
            frames.EXPLAIN: self._explain,
            frames.VALIDATE: self._validate,
            frames.TEST: self._test,
        }
        self._evaluator: Any = None
        self._trial: Any = None

    def handle(self, kind: bytes, body: str) -> bytes:
        """The frame that answers a request."""
        from caracal_grpc.core.errors import CaracalError

        try:
            return frames.answer(frames.DONE, _encoded(self._handlers[kind](body)))
        except CaracalError as error:
            return frames.answer(frames.REFUSED, _encoded(_told(error)))

    def _compile(self, body: str) -> None:
        from caracal_grpc.policy.evaluator import evaluator

        name, bundle, _ = _read(body)
        self._evaluator = evaluator(name, bundle)

    def _decide(self, question: str) -> dict[str, Any]:
        return dict(self._evaluator.decide(question).to_value())

    def _explain(self, question: str) -> dict[str, Any]:
        from caracal_grpc.policy.sandbox.values import explanation_value

        return explanation_value(self._evaluator.explain(question))

    def _validate(self, body: str) -> dict[str, Any]:
        from caracal_grpc.policy.sandbox.values import finding_value
        from caracal_grpc.policy.trial import Trial

        os.nice(_NICE)
        self._trial = trial = Trial(*_read(body))
        return {
            "findings": [finding_value(each) for each in trial.findings],
            "tests": [[each.module, each.name] for each in trial.tests],
        }

    def _test(self, number: str) -> list[Any]:
        from caracal_grpc.policy.sandbox.values import tested_value

        return tested_value(self._trial.run(int(number)))


def _read(body: str) -> tuple[str, Bundle, Mapping[str, str]]:
    """The engine, the policy and its tests."""
    from caracal_grpc.policy.bundle import Bundle

    head, *texts = body.split("\n")
    value = json.loads(head)
    pieces = tuple(zip(value["data"], texts, strict=True))
    bundle = Bundle(value["modules"], pieces, value["version"])
    return value["engine"], bundle, value["tests"]


def _told(error: CaracalError) -> dict[str, Any]:
    violations = [[each.field, each.description] for each in error.violations]
    return {"reason": error.reason.value, "message": error.message, "violations": violations}


def _encoded(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def confine(memory: int) -> None:
    """Gives up, for good, all that a policy does not need; ends when the parent does."""
    _end_with_parent()
    _limit({resource.RLIMIT_AS: memory, resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: 0})
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the parent drains first, and ends us then


def shut(engine: str) -> None:
    """Reads all that this process may need, and gives up opening anything and starting anything."""
    for name in (f"caracal_grpc.policy.{engine}", *_NEEDED):
        importlib.import_module(name)
    importlib.import_module("caracal_grpc.policy.grants").grants_modules()
    _limit({resource.RLIMIT_NOFILE: 0, resource.RLIMIT_NPROC: 0})


def _limit(limits: Mapping[int, int]) -> None:
    for which, limit in limits.items():
        hard = resource.getrlimit(which)[1]
        lower = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(which, (lower, lower))


def _end_with_parent() -> None:
    """Has the kernel end us with the parent, where it can; else the end of our input does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _reserved(engine: str) -> int:
    """Bytes of address space that an engine takes at once, and would not start without."""
    if engine not in _RESERVING or sys.platform != "linux":
        return 0
    importlib.import_module(engine)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _receive(size: int) -> bytes:
    """So many bytes of the input; ends the process at its end."""
    parts = []
    while size:
        part = os.read(0, min(size, 1_048_576))
        if not part:
            sys.exit(0)
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _send(output: int, frame: bytes) -> None:
    while frame:
        frame = frame[os.write(output, frame) :]


def serve(output: int) -> None:
    """Answers request after request."""
    worker = Worker()
    while True:
        size, kind, milliseconds = frames.REQUEST.unpack(_receive(frames.REQUEST.size))
        body = _receive(size).decode()
        signal.setitimer(signal.ITIMER_REAL, _PATIENCE * milliseconds / 1_000)
        answer = worker.handle(kind, body)
        signal.setitimer(signal.ITIMER_REAL, 0)
        _send(output, answer)


def main() -> None:
    """The process; its arguments are the engine, and how much memory it may have."""
    confine(int(sys.argv[2]) + _reserved(sys.argv[1]))
    output = os.dup(1)
    os.dup2(2, 1)  # whatever an engine prints goes where its panics go: nowhere
    shut(sys.argv[1])
    serve(output)


if __name__ == "__main__":
    main()
