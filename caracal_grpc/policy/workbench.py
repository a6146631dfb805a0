"""Getting regorus to compile, and to say what is wrong."""

from __future__ import annotations

import asyncio
import re
from functools import cache, lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self, TypeVar

import regorus

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.policy import analysis
from caracal_grpc.policy.bundle import MAX_MODULE_BYTES, Bundle
from caracal_grpc.policy.lexical import module_invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping

T = TypeVar("T")

RESULT: Final = ".".join(analysis.RESULT)
_MAX_LINE: Final = 4_096
_MAX_LINES: Final = 20_000
# Evaluating any rule compiles every module, so this one shows their faults and decides nothing.
_READY_SOURCE: Final = "package caracal.ready\n\nready := true\n"
_READY: Final = "data.caracal.ready.ready"
_FAULT: Final = re.compile(r"--> (?P<module>[^\n]*):(?P<line>\d+):(?P<column>\d+)\n")
_UNBOUND: Final = re.compile(r"^error: var \S+ is unsafe", re.MULTILINE)
_NONE: Final[Mapping[str, str]] = MappingProxyType({})
_MESSAGE: Final = re.compile(r"^error: (?P<message>[^\n]{1,200})", re.MULTILINE)


def require_sound(bundle: Bundle) -> None:
    """Raises `FIELD_INVALID` for modules that do not parse or that must not decide.

    Every engine asks this first, so that all of them accept the same policies.
    """
    _require_sound(tuple(bundle.modules.items()))


@lru_cache(maxsize=1)  # the built-in module is compiled again and again
def _require_sound(sources: tuple[tuple[str, str], ...]) -> None:
    _require_canary()
    modules = dict(sources)
    with Workbench() as bench:
        guarded(modules, lambda: bench.add(modules))
        rules = analysis.require_sound(bench.engine.get_ast_as_json())
        guarded(modules, lambda: bench.require_safe(rules))


@cache
def _require_canary() -> None:
    engine = fresh()
    engine.add_policy("canary", analysis.CANARY_SOURCE)
    analysis.require_canary(engine.get_ast_as_json())


def fresh() -> regorus.Engine:
    """An engine within our bounds, without a module."""
    engine = regorus.Engine()
    engine.set_policy_length_config(
        max_col=_MAX_LINE, max_file_bytes=MAX_MODULE_BYTES, max_lines=_MAX_LINES
    )
    return engine


def compiled(bundle: Bundle) -> regorus.Engine:
    """An engine with the policy of `bundle`; raises `FIELD_INVALID` with a fault's place."""
    with Workbench() as bench:
        guarded(bundle.modules, lambda: bench.load(bundle))
        return bench.engine


async def compiled_in_turns(bundle: Bundle) -> regorus.Engine:
    """The same, while others have their turn: thousands of grants take some tenths of a second."""
    with Workbench() as bench:
        steps = bench.loading(bundle)
        for _ in iter(lambda: guarded(bundle.modules, lambda: next(steps, False)), False):
            await asyncio.sleep(0)
        return bench.engine


class Workbench:
    """Holds an engine while it compiles, so that no local variable does.

    Tracebacks keep local variables alive, and an engine that the garbage collector then frees on
    another thread is leaked with a warning.
    """

    def __init__(self) -> None:
        self.engine = fresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        del self.engine

    def add(self, modules: Mapping[str, str]) -> None:
        """Parses modules."""
        for name, source in modules.items():
            self.engine.add_policy(name, source)

    def load(self, bundle: Bundle, tests: Mapping[str, str] = _NONE) -> None:
        """Compiles the policy, with modules of tests beside it."""
        for _ in self.loading(bundle, tests):
            pass

    def loading(self, bundle: Bundle, tests: Mapping[str, str] = _NONE) -> Iterator[bool]:
        """The same, with a pause after each piece of the data."""
        self.engine.add_policy("ready", _READY_SOURCE)
        self.add({**bundle.modules, **tests})
        for document in bundle.fragments():
            self.engine.add_data_json(document)
            yield True
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


def guarded(modules: Container[str], step: Callable[[], T]) -> T:
    """Runs a `step` of compiling; its errors come out as faults of `modules`, their names."""
    try:
        return step()
    except BaseException as exc:
        if not isinstance(exc, Exception) and not is_panic(exc):
            raise
        raise _fault(modules, str(exc)) from without_backtrace(exc)


def _fault(modules: Container[str], text: str) -> CaracalError:
    """The refusal with what the engine said, less its stack backtrace and its paths."""
    place, message = _FAULT.search(text), _MESSAGE.search(text)
    if place is None or place["module"] not in modules:
        return field_invalid("modules", "exceed a limit of the policy engine; make them smaller")
    what = message["message"] if message else "is not valid rego"
    return module_invalid(place["module"], int(place["line"]), int(place["column"]), what)


def is_panic(exc: BaseException) -> bool:
    """Whether a Rust panic came through; its class cannot be imported."""
    return type(exc).__name__ == "PanicException"


def without_backtrace(exc: BaseException) -> Exception:
    """A cause for the log: the engine's message alone, since its backtrace names paths."""
    message = _MESSAGE.search(str(exc))
    return RuntimeError(message["message"] if message else type(exc).__name__)
