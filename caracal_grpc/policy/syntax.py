"""What the syntax tree of a module says: its rules, its functions and every call in it.

The tree is the one that regorus gives as JSON: each node is an object with one member, its kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is: module, line and column, counted from 1."""

    module: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Call:
    """A call from inside the rule or function `caller`.

    `path` is where a function of the modules would be, `written` the name as it stands.
    """

    caller: Path
    path: Path
    written: str
    place: Place


@dataclass(frozen=True, slots=True)
class Module:
    """What one module defines and calls; paths are absolute, such as data.caracal.authz.result."""

    name: str
    package: Path
    rules: tuple[Path, ...]
    functions: frozenset[Path]
    calls: tuple[Call, ...]
    withs: tuple[Place, ...]


def read_module(tree: Mapping[str, Any]) -> Module:
    """The module in one element of the tree; raises `LookupError` for one of another form."""
    name = str(tree["source"]["file"])
    body = tree["ast"]
    package = ("data", *ref_path(body["package"]["refr"]))
    aliases = _aliases(body["imports"], str(tree["source"]["contents"]).encode())
    heads = [(rule, *_head(rule)) for rule in body["rules"]]
    calls = tuple(
        _call(package + path, node["Call"], package, aliases, name)
        for rule, _, path in heads
        for node in _objects(rule)
        if "Call" in node
    )
    return Module(
        name,
        package,
        rules=tuple(package + path for _, kind, path in heads if kind in ("Compr", "Default")),
        functions=frozenset(package + path for _, kind, path in heads if kind == "Func"),
        calls=calls,
        withs=tuple(_place(name, n) for n in _objects(body["rules"]) if n.get("with_mods")),
    )


def ref_path(node: Mapping[str, Any]) -> Path:
    """The names of a reference such as `time.now_ns`, up to the first computed subscript."""
    (kind, value), *_ = node.items()
    if kind == "Var":
        return (str(value["value"]),)
    if kind == "RefDot":
        return (*ref_path(value["refr"]), str(value["field"][1]))
    if kind == "RefBrack":
        index = value["index"].get("String")
        return ref_path(value["refr"]) + ((str(index["value"]),) if index else ())
    raise LookupError(kind)


def _head(rule: Mapping[str, Any]) -> tuple[str, Path]:
    """The kind of a rule (`Compr`, `Set`, `Func` or `Default`) and its name."""
    if "Default" in rule:
        node = rule["Default"]
        return ("Func" if node["args"] else "Default"), ref_path(node["refr"])
    (kind, node), *_ = rule["Spec"]["head"].items()
    return str(kind), ref_path(node["refr"])


def _aliases(imports: Iterable[Mapping[str, Any]], source: bytes) -> dict[str, Path]:
    """The name that each import binds: what follows `as`, or its last part."""
    bound: dict[str, Path] = {}
    for node in imports:
        path, span = ref_path(node["refr"]), node.get("as")
        name = source[span["start"] : span["end"]].decode() if span else path[-1]
        bound[name] = path
    return bound


def _call(
    caller: Path, node: Mapping[str, Any], package: Path, aliases: Mapping[str, Path], module: str
) -> Call:
    written = ref_path(node["fcn"])
    if written[0] in aliases:
        path = aliases[written[0]] + written[1:]
    else:
        path = written if written[0] == "data" else package + written
    return Call(caller, path, ".".join(written), _place(module, node))


def _objects(tree: object) -> Iterator[Mapping[str, Any]]:
    """Every object under `tree`, without recursion."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, Mapping):
            yield node
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)


def _place(module: str, node: Mapping[str, Any]) -> Place:
    return Place(module, int(node["span"]["line"]), int(node["span"]["col"]))
