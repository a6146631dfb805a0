"""What a set of modules must be before it may decide, read from its syntax tree.

Measured on regorus 0.13: a function that calls itself overflows the native stack and kills the
process, and an unknown function shows only when a decision reaches it. Both are found here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.policy.builtins import ALLOWED_BUILTINS
from caracal_grpc.policy.lexical import module_invalid
from caracal_grpc.policy.syntax import Call, Module, Path, read_module

PACKAGE: Final = ("data", "caracal", "authz")
RESULT: Final = (*PACKAGE, "result")
MAX_CALL_DEPTH: Final = 32
"""Functions that call functions."""
MAX_NAMES: Final = 512
"""Rules and functions in one policy; each may wait for the next on the native stack."""

_CANARY: Final = ("data", "caracal", "authz", "canary")


def require_sound(tree: str) -> list[str]:
    """The rules of the modules whose syntax is `tree`, in JSON, once they have proved sound.

    Raises `FIELD_INVALID`, naming the place, for modules that must not decide: they must be
    `package caracal.authz`, define the rule `result`, call only functions of their own and allowed
    built-ins, not recurse, and not use `with`.
    """
    modules = _read(tree)
    for module in modules:
        if module.package != PACKAGE:
            raise module_invalid(module.name, 1, 1, "must be package caracal.authz")
        for place in module.withs:
            raise module_invalid(
                place.module, place.line, place.column, "uses with, which is for tests of a policy"
            )
    _require_rules(modules)
    functions = frozenset[Path]().union(*(module.functions for module in modules))
    calls = [call for module in modules for call in module.calls]
    _require_known(calls, functions)
    _require_no_recursion(calls, functions)
    return sorted({".".join(rule) for module in modules for rule in module.rules})


def require_canary(tree: str) -> None:
    """Raises `POLICY_FAILED` when the tree of a recursive function does not show its recursion.

    An engine whose tree took another form would otherwise pass every module unread.
    """
    calls = [call for module in _read(tree) for call in module.calls]
    if not any(call.caller == call.path == _CANARY for call in calls):
        raise _unreadable()


CANARY_SOURCE: Final = "package caracal.authz\n\ncanary(x) := [y | y := canary(x)]\n"


def _read(tree: str) -> list[Module]:
    try:
        return [read_module(element) for element in json.loads(tree)]
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as exc:
        raise _unreadable() from exc


def _unreadable() -> CaracalError:
    text = "the policy engine describes modules in an unknown form; install a supported version"
    return CaracalError(Reason.POLICY_FAILED, text)


def _require_rules(modules: Iterable[Module]) -> None:
    rules = {rule for module in modules for rule in module.rules}
    names = rules.union(*(module.functions for module in modules))
    last = max(module.name for module in modules)
    if RESULT not in rules:
        raise module_invalid(last, 1, 1, "no module defines the rule result")
    if len(names) > MAX_NAMES:
        raise module_invalid(last, 1, 1, f"the policy has more than {MAX_NAMES} rules")


def _require_known(calls: Iterable[Call], functions: frozenset[Path]) -> None:
    for call in calls:
        if call.path not in functions and call.written not in ALLOWED_BUILTINS:
            raise _call_invalid(call, f"calls {call.written[:64]}, which no policy may call")


def _require_no_recursion(calls: Iterable[Call], functions: frozenset[Path]) -> None:
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
        raise _call_invalid(culprit, "is a call within itself; rego has no recursion") from exc
    if _depth(order, callees) > MAX_CALL_DEPTH:
        raise _call_invalid(inner[0], f"functions call more than {MAX_CALL_DEPTH} deep")


def _depth(order: Iterable[Path], callees: Mapping[Path, set[Path]]) -> int:
    depths: dict[Path, int] = {}
    for path in order:
        depths[path] = 1 + max((depths[callee] for callee in callees.get(path, ())), default=0)
    return max(depths.values(), default=0)


def _call_invalid(call: Call, what: str) -> CaracalError:
    return module_invalid(call.place.module, call.place.line, call.place.column, what)
