"""The authority matrix: what each method asks for, one row a method, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Final

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import family_of
from caracal_grpc.core.rule import Rule
from caracal_grpc.interceptors.resource_field import require_field
from caracal_grpc.interceptors.rules.rules import Rules, declared_rule, method_path

Resources = Mapping[str, Collection[str]]
"""The resources of a zone by name, each with its scopes."""

Overrides = Mapping[str, Mapping[str, Any]]
"""Rules by path that win over what methods declare, in the form that `Rules.from_mapping` takes."""

NO_OVERRIDES: Final[Overrides] = MappingProxyType({})

_KINDS: Final = {
    (False, False): "unary",
    (True, False): "client stream",
    (False, True): "server stream",
    (True, True): "bidi stream",
}
_ALIKE: Final = 0.8


@dataclass(frozen=True, slots=True)
class Row:
    """What one method, by its full path, asks of its caller.

    `rule` is `None` where every call is refused: nothing is declared, or what is declared is
    half-written, as `fault` says. `kind` and `file`, the proto, are empty where only the path is
    known.
    """

    path: str
    rule: Rule | None
    kind: str = ""
    file: str = ""
    fault: str = ""

    @property
    def service(self) -> str:
        """The service's full name, `package.Service`."""
        return self.path.rpartition("/")[0].removeprefix("/")

    @property
    def method(self) -> str:
        """The method's name within its service."""
        return self.path.rpartition("/")[2]


COLUMNS: Final[Mapping[str, Callable[[Row, Rule], Any]]] = MappingProxyType(
    {
        "service": lambda row, _: row.service,
        "method": lambda row, _: row.method,
        "kind": lambda row, _: row.kind,
        "declared": lambda _row, _rule: True,
        "resource": lambda _, rule: rule.resource,
        "scopes": lambda _, rule: sorted(rule.scopes),
        "any_scopes": lambda _, rule: list(rule.any_scopes),
        "require_delegation": lambda _, rule: rule.require_delegation,
        "max_hops": lambda _, rule: rule.max_hops or None,
        "chain_must_include": lambda _, rule: sorted(rule.chain_must_include),
        "bound": lambda _, rule: rule.bound,
        "single_use": lambda _, rule: rule.single_use,
        "public": lambda _, rule: rule.public,
        "public_reason": lambda _, rule: rule.public_reason,
    }
)
"""The matrix as a table: what each column shows of a row. A new part of a rule is one line here."""

SELDOM: Final = frozenset(
    {"any_scopes", "require_delegation", "max_hops", "chain_must_include", "bound", "single_use"}
)
"""The columns of what few rules ask for; people are shown only those in which some row has it."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something wrong with the rule of one method: a kind for programs, a text for people."""

    path: str
    kind: str
    text: str
    file: str = ""

    def __str__(self) -> str:
        where = f"{self.file}: " if self.file else ""
        return f"{where}{self.path}: {self.text}"


def matrix(
    services: Iterable[ServiceDescriptor], overrides: Overrides = NO_OVERRIDES
) -> tuple[Row, ...]:
    """A row for each method of `services`, in order of path.

    `overrides` win over what a method declares; gRPC's own health and reflection are public, as
    for a guard. Raises `FIELD_INVALID` for a bad override.
    """
    rules = Rules.from_mapping(overrides)
    methods = {method_path(each): each for service in services for each in service.methods}
    return tuple(_row(rules, path, methods[path]) for path in sorted(methods))


def matrix_of(rules: Rules, paths: Iterable[str]) -> tuple[Row, ...]:
    """A row for each method in `paths` with the rule that `rules` has for it, in order of path."""
    return tuple(Row(path, rules.find(path)) for path in sorted(set(paths)))


def cells(row: Row) -> dict[str, Any]:
    """The row by `COLUMNS`, as plain values; what only a rule can tell is `None` without one."""
    if row.rule is not None:
        return {name: cell(row, row.rule) for name, cell in COLUMNS.items()}
    known = {"service": row.service, "method": row.method, "kind": row.kind, "declared": False}
    return {name: known.get(name) for name in COLUMNS}


def findings(rows: Iterable[Row], resources: Resources | None = None) -> tuple[Finding, ...]:
    """Everything that is wrong with `rows`, sorted; nothing when all of it is in order.

    With the `resources` of a zone, also what the rules name and the zone does not have: no mandate
    could ever be had for it.
    """
    return tuple(sorted(each for row in rows for each in _row_findings(row, resources)))


def stray(rows: Iterable[Row], overrides: Overrides) -> tuple[Finding, ...]:
    """The overrides for a method that its service, which `rows` do have, does not have.

    Such a rule is written for a name that is wrong or gone, and guards nothing.
    """
    services: dict[str, list[str]] = {}
    for row in rows:
        services.setdefault(row.service, []).append(row.method)
    found = []
    for path in sorted(overrides):
        methods = services.get(Row(path, None).service, [])
        name = path.rpartition("/")[2]
        if methods and name not in methods:
            text = "has a rule here, but its service has no such method; correct or remove it"
            found.append(Finding(path, "stray", text + _meant(name, methods)))
    return tuple(found)


def _row(rules: Rules, path: str, method: MethodDescriptor) -> Row:
    kind = _KINDS[method.client_streaming, method.server_streaming]
    file = method.containing_service.file.name
    try:
        rule = rules.find(path)
        if rule is not None:
            require_field(rule, method.input_type)
        return Row(path, rule or declared_rule(method), kind, file)
    except CaracalError as error:
        return Row(path, None, kind, file, error.message.removeprefix(path).lstrip(".: "))


def _row_findings(row: Row, resources: Resources | None) -> Iterator[Finding]:
    for kind, text in _problems(row, resources):
        yield Finding(row.path, kind, text, row.file)


def _problems(row: Row, resources: Resources | None) -> Iterator[tuple[str, str]]:
    """Kind and text of each thing that is wrong with a row."""
    rule = row.rule
    if rule is None and row.fault:
        yield "half-written", f"its rule counts as not declared: {row.fault}"
    elif rule is None:
        option = 'option (caracal.v1.authority) = {scopes: "..."}'
        yield "undeclared", f"has no authority rule, so every call is refused; add {option} to it"
    elif rule.public:
        if not rule.public_reason.strip():
            yield "unreasoned", "is public without saying why; add public_reason beside public"
    elif resources is not None:
        yield from _unknown(rule, resources)


def _unknown(rule: Rule, resources: Resources) -> Iterator[tuple[str, str]]:
    """What the rule names and the zone does not have."""
    name = rule.resource if rule.template is None else rule.template.family
    scopes = resources.get(name, resources.get(family_of(name) or ""))
    if scopes is None:
        it = "it" if rule.template is None else name
        text = f"names {rule.resource}, which the zone does not have; declare {it} there"
        yield "resource-unknown", text + _meant(name, resources)
        return
    for scope in sorted(rule.every_scope - set(scopes)):
        text = f"asks for {scope}, which {rule.resource} does not have; declare it in the zone"
        yield "scope-unknown", text + _meant(scope, scopes)


def _meant(name: str, known: Collection[str]) -> str:
    close = get_close_matches(name, sorted(known), 1, _ALIKE)
    return f", or write {close[0]}" if close else ""
