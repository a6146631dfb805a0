"""What the syntax tree of a module says: its rules, its functions and every call in it.

The tree is the one that regorus gives as JSON: each node is an object with one member, its kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
class Reference:
    """A use of something by its name: the parts as they stand, `None` for a computed one.

    `place` is where it ends, and `start` the byte where it begins.
    """

    parts: tuple[str | None, ...]
    place: Place
    start: int


@dataclass(frozen=True, slots=True)
class Definition:
    """One of the pieces that define a rule (`Compr`, `Set`, `Default`) or a function (`Func`).

    `text` is its source, and `name_at` where in its bytes the name stands that it defines.
    """

    kind: str
    path: Path
    place: Place
    last_line: int
    text: bytes
    name_at: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Module:
    """What one module defines and uses; paths are absolute, such as data.caracal.authz.result.

    `imports` is the source of its imports, and `aliases` what the names are that they bind.
    """

    name: str
    package: Path
    definitions: tuple[Definition, ...]
    calls: tuple[Call, ...]
    references: tuple[Reference, ...]
    withs: tuple[Place, ...]
    aliases: Mapping[str, Path]
    imports: str

    @property
    def rules(self) -> tuple[Path, ...]:
        """The rules that have one value: those that a decision can be."""
        return tuple(each.path for each in self.definitions if each.kind in {"Compr", "Default"})

    @property
    def functions(self) -> frozenset[Path]:
        """What can be called."""
        return frozenset(each.path for each in self.definitions if each.kind == "Func")


def read_module(tree: Mapping[str, Any]) -> Module:
    """The module in one element of the tree; raises `LookupError` for one of another form."""
    name = str(tree["source"]["file"])
    source, body = str(tree["source"]["contents"]).encode(), tree["ast"]
    package = ("data", *ref_path(body["package"]["refr"]))
    aliases = _aliases(body["imports"], source)
    rules = body["rules"]
    # A span may end before the quote that closes a text: a rule goes on to where the next begins.
    ends = [*(_span(rule)["start"] for rule in rules[1:]), len(source)][: len(rules)]
    definitions = [
        _definition(rule, package, source[_span(rule)["start"] : end], name)
        for rule, end in zip(rules, ends, strict=True)
    ]
    calls = tuple(
        _call(each.path, node["Call"], package, aliases, name)
        for rule, each in zip(body["rules"], definitions, strict=True)
        for node in _objects(rule)
        if "Call" in node
    )
    return Module(
        name,
        package,
        tuple(definitions),
        calls,
        tuple(_references(body["rules"], name)),
        withs=tuple(_place(name, n) for n in _objects(body["rules"]) if n.get("with_mods")),
        aliases=aliases,
        imports=_between(body["imports"], rules, source),
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


def _definition(rule: Mapping[str, Any], package: Path, text: bytes, module: str) -> Definition:
    if "Default" in rule:
        node = rule["Default"]
        kind, refr = ("Func" if node["args"] else "Default"), node["refr"]
    else:
        node = rule["Spec"]
        (kind, head), *_ = node["head"].items()
        refr = head["refr"]
    span, name = node["span"], _base(refr)["span"]
    start = int(span["start"])
    return Definition(
        str(kind),
        package + ref_path(refr),
        _place(module, node),
        int(span["line"]) + text[: int(span["end"]) - start].count(b"\n"),
        text,
        (int(name["start"]) - start, int(name["end"]) - start),
    )


def _span(rule: Mapping[str, Any]) -> Mapping[str, Any]:
    (node,) = rule.values()
    return dict(node["span"])


def _base(refr: Mapping[str, Any]) -> Mapping[str, Any]:
    """The name that a reference begins with."""
    while "Var" not in refr:
        (_, inner), *_ = refr.items()
        refr = inner["refr"]
    return dict(refr["Var"])


def _references(rules: object, module: str) -> Iterator[Reference]:
    """Every reference, and what each of them begins with, less the names that rules define."""
    heads = {id(_refr(rule)) for rule in _list(rules)}
    for node in _objects(rules):
        if id(node) in heads:
            continue
        parts = _parts(node)
        if parts:
            (value,) = node.values()
            yield Reference(parts, _place(module, value), int(value["span"]["start"]))


def _refr(rule: Mapping[str, Any]) -> object:
    if "Default" in rule:
        return rule["Default"]["refr"]
    (head,) = rule["Spec"]["head"].values()
    return head["refr"]


def _list(rules: object) -> list[Mapping[str, Any]]:
    return list(rules) if isinstance(rules, list) else []


def _parts(node: object) -> tuple[str | None, ...]:
    """The parts of a reference; none for any other node, or for one that begins with a call."""
    if not isinstance(node, Mapping) or len(node) != 1:
        return ()
    (kind, value), *_ = node.items()
    if kind == "Var":
        return (str(value["value"]),)
    if kind not in {"RefDot", "RefBrack"}:
        return ()
    above = _parts(value["refr"])
    if not above:
        return ()
    if kind == "RefDot":
        return (*above, str(value["field"][1]))
    index = value["index"].get("String")
    return (*above, str(index["value"]) if index else None)


def _between(
    imports: Sequence[Mapping[str, Any]], rules: Sequence[Mapping[str, Any]], source: bytes
) -> str:
    """The source from the first import to the first rule."""
    if not (imports and rules):
        return ""
    return source[imports[0]["span"]["start"] : _span(rules[0])["start"]].decode()


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
