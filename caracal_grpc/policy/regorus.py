"""Rego by regorus, in process: the default engine."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Self

import regorus

from caracal_grpc.core.decision import Decision, PolicyInput, parse_result
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.reason import Reason
from caracal_grpc.policy import analysis
from caracal_grpc.policy.bundle import MAX_MODULE_BYTES, Bundle
from caracal_grpc.policy.lexical import module_invalid
from caracal_grpc.policy.thread import OwnThread, closed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_RESULT: Final = ".".join(analysis.RESULT)
_MAX_LINE: Final = 4_096
_MAX_LINES: Final = 20_000
# Evaluating any rule compiles every module, so this one shows their faults and decides nothing.
_READY_SOURCE: Final = "package caracal.ready\n\nready := true\n"
_READY: Final = "data.caracal.ready.ready"
_FAULT: Final = re.compile(r"--> (?P<module>[^\n]*):(?P<line>\d+):(?P<column>\d+)\n")
_UNBOUND: Final = re.compile(r"^error: var \S+ is unsafe", re.MULTILINE)
_MESSAGE: Final = re.compile(r"^error: (?P<message>[^\n]{1,200})", re.MULTILINE)


class RegorusPolicy:
    """A policy compiled by regorus; of use on the thread that compiled it only."""

    def __init__(self, bundle: Bundle) -> None:
        self.version = bundle.version
        self._bundle = bundle
        self._thread = OwnThread()
        self._engine: regorus.Engine | None = _compiled(bundle)

    def decide(self, document: PolicyInput) -> Decision:
        """The answer to `document`; raises `POLICY_FAILED` for anything but a usable answer."""
        self._thread.require()
        if self._engine is None:
            raise closed()
        try:
            # As JSON, not as objects: a lone surrogate in an object is a segmentation fault.
            self._engine.set_input_json(json.dumps(document))
            value = self._engine.eval_rule(_RESULT)
        except BaseException as exc:  # noqa: BLE001 - a panic is no Exception; others are raised
            self._recover(exc)
            raise CaracalError(
                Reason.POLICY_FAILED, "the policy failed on this request; correct the active policy"
            ) from _without_backtrace(exc)
        return parse_result(value)

    def close(self) -> None:
        """Frees the engine; every later decision fails."""
        self._thread.require()
        self._engine = None

    def _recover(self, exc: BaseException) -> None:
        """Compiles anew after a panic of the engine; lets an interruption of the process pass."""
        if isinstance(exc, Exception):
            return
        if not _is_panic(exc):
            raise exc
        self._engine = _compiled(self._bundle)


class RegorusEngine:
    """The engine `regorus` (`policy.port.Engine`)."""

    def compile(self, modules: Mapping[str, str], data: Mapping[str, Any]) -> RegorusPolicy:
        """The policy of `modules` over `data`; raises `FIELD_INVALID` naming each fault's place."""
        bundle = Bundle.of(modules, data)
        require_sound(bundle)
        return RegorusPolicy(bundle)


def require_sound(bundle: Bundle) -> None:
    """Raises `FIELD_INVALID` for modules that do not parse or that must not decide.

    Every engine asks this first, so that all of them accept the same policies.
    """
    _require_canary()
    with _Workbench() as bench:
        _guarded(bundle, lambda: bench.add(bundle))
        rules = analysis.require_sound(bench.engine.get_ast_as_json())
        _guarded(bundle, lambda: bench.require_safe(rules))


@cache
def _require_canary() -> None:
    engine = _fresh()
    engine.add_policy("canary", analysis.CANARY_SOURCE)
    analysis.require_canary(engine.get_ast_as_json())


def _fresh() -> regorus.Engine:
    engine = regorus.Engine()
    engine.set_policy_length_config(
        max_col=_MAX_LINE, max_file_bytes=MAX_MODULE_BYTES, max_lines=_MAX_LINES
    )
    return engine


def _compiled(bundle: Bundle) -> regorus.Engine:
    with _Workbench() as bench:
        _guarded(bundle, lambda: bench.load(bundle))
        return bench.engine


class _Workbench:
    """Holds an engine while it compiles, so that no local variable does.

    Tracebacks keep local variables alive, and an engine that the garbage collector then frees on
    another thread is leaked with a warning.
    """

    def __init__(self) -> None:
        self.engine = _fresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        del self.engine

    def add(self, bundle: Bundle) -> None:
        for name, source in bundle.modules.items():
            self.engine.add_policy(name, source)

    def load(self, bundle: Bundle) -> None:
        self.engine.add_policy("ready", _READY_SOURCE)
        self.add(bundle)
        self.engine.add_data_json(bundle.data_json)
        self.engine.eval_rule(_READY)

    def require_safe(self, rules: Iterable[str]) -> None:
        """Evaluates all `rules` on nothing, which shows variables that nothing binds.

        In one query, where each is evaluated once; in a comprehension, since most are undefined.
        """
        attempts = ",\n".join(f"[value | value := {rule}]" for rule in rules)
        self.engine.set_input_json("{}")
        try:
            self.engine.eval_query(f"[\n{attempts}\n]")
        except (RuntimeError, TypeError) as exc:
            if _UNBOUND.search(str(exc)):
                raise


def _guarded(bundle: Bundle, step: Callable[[], object]) -> None:
    """Runs a `step` of compiling; its errors come out as faults of the modules."""
    try:
        step()
    except BaseException as exc:
        if not isinstance(exc, Exception) and not _is_panic(exc):
            raise
        raise _fault(bundle, str(exc)) from _without_backtrace(exc)


def _fault(bundle: Bundle, text: str) -> CaracalError:
    """The refusal with what the engine said, less its stack backtrace and its paths."""
    place, message = _FAULT.search(text), _MESSAGE.search(text)
    if place is None or place["module"] not in bundle.modules:
        return field_invalid("modules", "exceed a limit of the policy engine; make them smaller")
    what = message["message"] if message else "is not valid rego"
    return module_invalid(place["module"], int(place["line"]), int(place["column"]), what)


def _is_panic(exc: BaseException) -> bool:
    """Whether a Rust panic came through; its class cannot be imported."""
    return type(exc).__name__ == "PanicException"


def _without_backtrace(exc: BaseException) -> Exception:
    """A cause for the log: the engine's message alone, since its backtrace names paths."""
    message = _MESSAGE.search(str(exc))
    return RuntimeError(message["message"] if message else type(exc).__name__)
