"""Which rule a request over plain HTTP asks by: its host, its path and its method name it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, TypeVar

from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.rule import Rule
from caracal_grpc.interceptors.resource_field import PathVariables
from caracal_grpc.mesh.paths import PathTemplate, Piece, folded, segments_of

ANY: Final = "*"
"""Every host; as a method, every one."""

_HOST: Final = re.compile(
    r"(?=.{1,253}\Z)(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\*|\[[0-9a-f:.]{2,45}\]"
)
_Part = TypeVar("_Part", str, Piece)
_METHOD: Final = re.compile(r"[A-Z][A-Z-]{0,31}")


@dataclass(frozen=True, slots=True)
class Route:
    """The requests that a rule is for: `GET` and `PUT` of `/orders/{order_id}` at `shop.example`.

    A host is a name, `*.shop.example` for all below it, or `*`. The rule's resource may have one
    variable of the path in braces, as the resource of a gRPC method may have a field. Raises
    `FIELD_INVALID` for what no request could match.
    """

    path: PathTemplate
    rule: Rule
    methods: frozenset[str] = frozenset({ANY})
    hosts: frozenset[str] = frozenset({ANY})

    def __post_init__(self) -> None:
        name = self.rule.method
        for host in self.hosts:
            if not _HOST.fullmatch(host):
                raise field_invalid(
                    f"{name}.hosts",
                    "each must be a host in lower case without port, *.name or *",
                )
        for method in self.methods - {ANY}:
            if not _METHOD.fullmatch(method):
                raise field_invalid(f"{name}.methods", "each must be one such as GET, or *")
        if not (self.hosts and self.methods):
            raise field_invalid(name, "must have a host and a method; * stands for every one")
        template = self.rule.template
        if template is not None and template.dotted not in self.path.variables:
            raise field_invalid(
                f"{name}.resource", f"names {{{template.dotted}}}, which its path does not have"
            )

    @property
    def names(self) -> frozenset[str]:
        """What its rule is called where it is found: by a method, a host and the path."""
        return frozenset(
            _named(verb, host, self.path) for verb in self.methods for host in self.hosts
        )


def _named(method: str, host: str, path: PathTemplate) -> str:
    return f"{method} {'' if host == ANY else host}{path.text}"


class Match(NamedTuple):
    """What a request is: its name for the record, its rule, and the variables of its path.

    `grpc` is whether the rule is that of a method of gRPC, whatever the caller says that it speaks.
    """

    name: str
    rule: Rule
    variables: PathVariables
    grpc: bool = False


@dataclass(slots=True)
class _Leaf:
    """The rules of one host and one template, by method."""

    path: PathTemplate
    rules: dict[str, Rule] = field(default_factory=dict)


@dataclass(slots=True)
class _Node:
    """What is known after some segments of a path; `variables` by what has to follow them."""

    literals: dict[str, _Node] = field(default_factory=dict)
    variables: dict[str, _Node] = field(default_factory=dict)
    end: _Leaf | None = None
    rest: _Leaf | None = None

    def take(self, pieces: Iterable[Piece], rest: bool, leaf: _Leaf) -> _Leaf:
        """The leaf that is there, or else `leaf`, which is put there."""
        node = self
        for piece in pieces:
            below = node.variables if piece.variable else node.literals
            node = below.setdefault(piece.literal, _Node())
        if rest:
            node.rest = node.rest or leaf
            return node.rest
        node.end = node.end or leaf
        return node.end

    def find(self, segments: Sequence[str], at: int = 0) -> _Leaf | None:
        """What the segments from `at` on lead to, the closest description first."""
        if at == len(segments):
            return self.end or self.rest
        segment = segments[at]
        literal = self.literals.get(segment)
        found = literal.find(segments, at + 1) if literal is not None else None
        for suffix in sorted(self.variables, key=len, reverse=True) if found is None else ():
            if found is None and Piece(suffix, "any").value(segment) is not None:
                found = self.variables[suffix].find(segments, at + 1)
        return found or self.rest


class _Tree:
    """The routes of one host, twice: as they are written, and as the most forgiving reads them."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._exact = _Node()
        self._loose = _Node()

    def add(self, route: Route) -> None:
        """Raises `FIELD_INVALID` for what another route claims already."""
        path, name = route.path, route.rule.method
        leaf = self._exact.take(path.pieces, path.rest, _Leaf(path))
        pieces = [Piece(folded(piece.literal), piece.variable) for piece in path.pieces]
        loose = self._loose.take(_trimmed(pieces, Piece()), path.rest, leaf)
        if leaf.path != path or loose is not leaf:
            text = f"reads as {loose.path.text}, which another route has; write one of them only"
            raise field_invalid(f"{name}.path", text)
        for method in sorted(route.methods):
            if method in leaf.rules:
                text = f"has {_named(method, self._host, path)}, which another route has, too"
                raise field_invalid(f"{name}.methods", text)
            leaf.rules[method] = replace(route.rule, method=_named(method, self._host, path))

    def find(self, verb: str, path: str) -> Match | None:
        """As `Routes.find`."""
        segments = segments_of(path)
        leaf = self._exact.find(segments)
        if leaf is None:
            return None
        if self._loose.find(_trimmed([folded(each) for each in segments], "")) is not leaf:
            text = "reads as the path of another route, but for its case, escapes or last slash"
            raise field_invalid("path", f"{text}; write it as that one, or as neither")
        rule = leaf.rules.get(verb) or leaf.rules.get(ANY)
        if rule is None:
            return None
        name = _named(verb, self._host, leaf.path)
        return Match(name, rule, leaf.path.values(segments))


def _trimmed(segments: list[_Part], empty: _Part) -> list[_Part]:
    """`segments` without the empty one that a last slash leaves."""
    return segments[:-1] if len(segments) > 1 and segments[-1] == empty else segments


class Routes:
    """Finds the route of a request: the most specific host that is named, then the path.

    A literal wins over a variable, and both over `**`; what is written more closely owns the
    request, whether or not it has its method. A path that a forgiving server could take for one of
    another route is refused. Safe to share between threads.
    """

    def __init__(self, routes: Iterable[Route] = ()) -> None:
        """Raises `FIELD_INVALID` when two routes claim the same requests."""
        self._trees: dict[str, _Tree] = {}
        for route in routes:
            for host in sorted(route.hosts):
                self._trees.setdefault(host, _Tree(host)).add(route)

    def __len__(self) -> int:
        return len(self._trees)

    def find(self, host: str, verb: str, path: str) -> Match | None:
        """The rule of a request; `None` when no route is for it.

        Raises `FIELD_INVALID` for a path that reads as that of another route, too.
        """
        tree = self._tree(host)
        return None if tree is None else tree.find(verb, path)

    def _tree(self, host: str) -> _Tree | None:
        trees = self._trees
        tree = trees.get(host)
        if tree is not None or not host:
            return tree or trees.get(ANY)
        rest = host
        while rest:
            _, _, rest = rest.partition(".")
            tree = trees.get(f"*.{rest}")
            if tree is not None:
                return tree
        return trees.get(ANY)
