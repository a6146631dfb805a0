"""What a set of modules must be before it may decide, read from its syntax tree.

Measured on regorus 0.13: a function that calls itself overflows the native stack and kills the
process, and an unknown function shows only when a decision reaches it. Both are found here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.policy.builtins import ALLOWED_BUILTINS
from caracal_grpc.policy.lexical import Fault, modules_invalid
from caracal_grpc.policy.syntax import Call, Module, Path, Place, read_module

PACKAGE: Final = ("data", "caracal", "authz")
RESULT: Final = (*PACKAGE, "result")
TESTS: Final = ("data", "caracal", "authz_test")
MAX_CALL_DEPTH: Final = 32
"""Functions that call functions."""
MAX_NAMES: Final = 512
"""Rules and functions in one policy; each may wait for the next on the native stack."""

_CANARY: Final = ("data", "caracal", "authz", "canary")


def require_sound(tree: str) -> list[str]:
    """The rules of the modules whose syntax is `tree`, in JSON, once they have proved sound.

    Raises `FIELD_INVALID`, naming the places, for modules that must not decide: they must be
    `package caracal.authz`, define the rule `result`, call only functions of their own and allowed
    built-ins, not recurse, and not use `with`.
    """
    modules = read(tree)
    faults = [*_misplaced(modules), *_mocking(modules), *_unfit_rules(modules), *_calls(modules)]
    if faults:
        raise modules_invalid(faults)
    return sorted({".".join(rule) for module in modules for rule in module.rules})


def faults_of_tests(policy: Sequence[Module], tests: Sequence[Module]) -> list[Fault]:
    """What keeps modules of tests from being run over those of a policy that is sound."""
    return [
        *_misplaced(tests, TESTS, "package caracal.authz_test"),
        *_calls([*policy, *tests]),
    ]


def require_canary(tree: str) -> None:
    """Raises `POLICY_FAILED` when the tree of a recursive function does not show its recursion.

    An engine whose tree took another form would otherwise pass every module unread.
    """
    calls = [call for module in read(tree) for call in module.calls]
    if not any(call.caller == call.path == _CANARY for call in calls):
        raise _unreadable()


CANARY_SOURCE: Final = "package caracal.authz\n\ncanary(x) := [y | y := canary(x)]\n"


def read(tree: str) -> list[Module]:
    """The modules in `tree`; raises `POLICY_FAILED` for one of an unknown form."""
    try:
        return [read_module(element) for element in json.loads(tree)]
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as exc:
        raise _unreadable() from exc


def _unreadable() -> CaracalError:
    text = "the policy engine describes modules in an unknown form; install a supported version"
    return CaracalError(Reason.POLICY_FAILED, text)


def _misplaced(
    modules: Iterable[Module], package: Path = PACKAGE, text: str = "package caracal.authz"
) -> Iterator[Fault]:
    for module in modules:
        if module.package != package:
            yield Fault(Place(module.name, 1, 1), f"must be {text}")


def _mocking(modules: Iterable[Module]) -> Iterator[Fault]:
    for module in modules:
        for place in module.withs:
            yield Fault(place, "uses with, which is for tests of a policy")


def _unfit_rules(modules: Iterable[Module]) -> Iterator[Fault]:
    rules = {rule for module in modules for rule in module.rules}
    names = {each.path for module in modules for each in module.definitions}
    last = Place(max(module.name for module in modules), 1, 1)
    if RESULT not in rules:
        yield Fault(last, "no module defines the rule result")
    if len(names) > MAX_NAMES:
        yield Fault(last, f"the policy has more than {MAX_NAMES} rules")


def _calls(modules: Sequence[Module]) -> Iterator[Fault]:
    """Calls of what no policy may call, and of a function within itself."""
    functions = frozenset[Path]().union(*(module.functions for module in modules))
    calls = [call for module in modules for call in module.calls]
    for call in calls:
        if call.path not in functions and call.written not in ALLOWED_BUILTINS:
            yield Fault(call.place, f"calls {call.written[:64]}, which no policy may call")
    yield from _recursion(calls, functions)


def _recursion(calls: Iterable[Call], functions: frozenset[Path]) -> Iterator[Fault]:
    """Orders the functions so that each comes after those that it calls."""
    inner = [call for call in calls if call.caller in functions and call.path in functions]
    callees: dict[Path, set[Path]] = {}
    for call in inner:
        callees.setdefault(call.caller, set()).add(call.path)
    try:
        order = list(TopologicalSorter(callees).static_order())
    except CycleError as exc:
        cycle = set(exc.args[1])
        culprit = next(call for call in inner if call.caller in cycle and call.path in cycle)
        yield Fault(culprit.place, "is a call within itself; rego has no recursion")
        return
    if _depth(order, callees) > MAX_CALL_DEPTH:
        yield Fault(inner[0].place, f"functions call more than {MAX_CALL_DEPTH} deep")


def _depth(order: Iterable[Path], callees: Mapping[Path, set[Path]]) -> int:
    depths: dict[Path, int] = {}
    for path in order:
        depths[path] = 1 + max((depths[callee] for callee in callees.get(path, ())), default=0)
    return max(depths.values(), default=0)
