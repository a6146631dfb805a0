"""What the author of a policy probably did not mean: it decides, but not as it reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from caracal_grpc.policy.analysis import PACKAGE, RESULT
from caracal_grpc.policy.contract import unknown_field
from caracal_grpc.policy.lexical import Fault
from caracal_grpc.policy.syntax import Module, Place, Reference


def doubts(policy: Sequence[Module], tests: Sequence[Module]) -> list[Fault]:
    """Fields that no input has, rules that nothing uses, modules of tests without a test."""
    everything = [*policy, *tests]
    return [*_unknown_fields(everything), *_unused(policy, everything), *_idle(tests)]


def _unknown_fields(modules: Sequence[Module]) -> Iterator[Fault]:
    for module in modules:
        found: dict[int, Reference] = {}
        for reference in module.references:
            if unknown_field(_input_path(module, reference)):
                known = found.setdefault(reference.start, reference)
                # Of references within one another, the shortest that is wrong.
                found[reference.start] = min(known, reference, key=lambda each: len(each.parts))
        for each in found.values():
            yield Fault(each.place, unknown_field(_input_path(module, each)))


def _input_path(module: Module, reference: Reference) -> tuple[str | None, ...]:
    """What a reference names below `input`; nothing for one that names something else."""
    first, *rest = reference.parts
    resolved = (*module.aliases.get(str(first), (first,)), *rest)
    return resolved[1:] if resolved[0] == "input" else ()


def _unused(policy: Sequence[Module], users: Sequence[Module]) -> Iterator[Fault]:
    used = {name for module in users for name in _used(module)}
    seen: set[str] = set()
    for module in policy:
        for each in module.definitions:
            if each.path[: len(PACKAGE)] != PACKAGE:
                continue
            name = each.path[len(PACKAGE)]
            if name not in used and name not in seen and each.path[: len(RESULT)] != RESULT:
                seen.add(name)
                yield Fault(each.place, f"nothing uses {name}; result does not depend on it")


def _used(module: Module) -> Iterator[str]:
    """The names of rules and functions of the policy that a module may refer to."""
    for reference in module.references:
        first, *rest = reference.parts
        path = (*module.aliases.get(str(first), (first,)), *rest)
        if path[: len(PACKAGE)] == PACKAGE and len(path) > len(PACKAGE):
            yield str(path[len(PACKAGE)])
        elif module.package == PACKAGE:
            yield str(path[0])


def _idle(tests: Sequence[Module]) -> Iterator[Fault]:
    for module in tests:
        if not any(each.path[-1].startswith("test_") for each in module.definitions):
            yield Fault(Place(module.name, 1, 1), "has no rule test_…, so it tests nothing")
