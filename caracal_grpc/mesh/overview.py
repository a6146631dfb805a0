"""What a proxy will be told, seen beforehand: each method and route, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from caracal_grpc.core.rule import Rule
from caracal_grpc.interceptors.edge.settings import SYSTEM
from caracal_grpc.interceptors.rules.matrix import (
    SELDOM,
    Finding,
    Resources,
    Row,
    cells,
    findings,
    matrix,
    matrix_of,
    stray,
)
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.mesh.declared import (
    arrivals_of,
    gateway_routes,
    routes_of,
    rules_of,
    served_by,
    services_of,
    upstreams_of,
)
from caracal_grpc.mesh.matching import unjudgeable
from caracal_grpc.mesh.routes import Route
from caracal_grpc.mesh.upstreams import serves
from caracal_grpc.settings import mesh as settings

Table = list[dict[str, Any]]

_OF_GRPC: Final = frozenset({"service", "method", "kind"})


@dataclass(frozen=True, slots=True)
class Overview:
    """What goes one way: tables of the methods of gRPC and of the routes of plain HTTP, and what
    was found wrong.
    """

    way: str
    methods: Table
    routes: Table
    findings: list[Finding]


def overview(chosen: settings.MeshSettings, resources: Resources | None = None) -> list[Overview]:
    """One of each way that is configured.

    With the `resources` of a zone, what the rules name and the zone does not have is a finding,
    too. Raises `FIELD_INVALID` naming the path in the settings of what cannot be read.
    """
    seen = []
    if chosen.inbound is not None:
        seen.append(_declared("inbound", chosen.inbound, resources))
    if chosen.outbound is not None:
        served = _served("outbound", chosen.outbound)
        seen.append(_declared("outbound", chosen.outbound, resources, served))
    if chosen.gateway is not None:
        seen.append(_gateway("gateway", chosen.gateway, resources))
    return seen


def _declared(
    way: str,
    declared: settings.Declared,
    resources: Resources | None,
    served: Collection[str] | None = None,
) -> Overview:
    rules_of(way, declared)
    rows, routes = _rows(way, declared), routes_of(way, declared)
    told = [Row(_name(route), route.rule) for route in routes]
    found = [*findings((*rows, *told), resources), *stray(rows, declared.methods)]
    found += _unjudgeable(rows)
    if served is not None:
        found += _unserved((*rows, *told), served)
    if not rows and not routes:
        found.append(Finding(way, "undeclared", "declares nothing, so all is refused"))
    methods = [cells(row) for row in rows]
    paths = [_cells(route) for route in routes]
    return Overview(way, _told(methods), _told(paths), sorted(found))


def _served(way: str, declared: settings.Outbound) -> frozenset[str]:
    """What the upstreams serve; raises `FIELD_INVALID` for all else that is wrong with the way."""
    served_by(way, declared)
    arrivals_of(way, declared, SYSTEM)
    upstreams = upstreams_of(way, declared)
    return frozenset(resource for upstream in upstreams for resource in upstream.resources)


def _unserved(rows: Iterable[Row], served: Collection[str]) -> Iterator[Finding]:
    for row in rows:
        rule = row.rule
        if rule is not None and not rule.public and not _is_served(rule, served):
            text = f"is about {rule.resource}, which none of the upstreams has among its resources"
            yield Finding(row.path, "unserved", f"{text}, so every call is refused", row.file)


def _is_served(rule: Rule, served: Collection[str]) -> bool:
    if rule.template is None:
        return serves(served, rule.resource)
    return any(resource.startswith(rule.template.prefix) for resource in served)


def _gateway(way: str, declared: settings.Gateway, resources: Resources | None) -> Overview:
    routes = gateway_routes(way, declared)
    rows = [Row(_name(each.route), each.route.rule) for each in routes]
    found = findings(rows, resources)
    paths = [{**_cells(each.route), "upstream": each.upstream} for each in routes]
    return Overview(way, [], _told(paths), list(found))


def _rows(way: str, declared: settings.Declared) -> tuple[Row, ...]:
    """The methods of the descriptor sets, and those that only a rule here names."""
    services = services_of(way, declared)
    known = matrix(services, declared.methods)
    names = {service.full_name for service in services}
    rules = Rules.from_mapping(declared.methods)
    others = matrix_of(rules, declared.methods)
    return (*known, *(row for row in others if row.service not in names))


def _unjudgeable(rows: tuple[Row, ...]) -> Iterator[Finding]:
    for row in rows:
        if row.rule is not None and unjudgeable(row.rule):
            text = (
                "has its resource in its requests, which a proxy does not show, so every call is "
                "refused; guard it in its own process, or give it a rule without a field here"
            )
            yield Finding(row.path, "unjudgeable", text, row.file)


def _name(route: Route) -> str:
    return f"{_joined(route.methods)} {_joined(route.hosts)}{route.path.text}"


def _joined(names: frozenset[str]) -> str:
    return ",".join(sorted(names))


def _cells(route: Route) -> dict[str, Any]:
    asked = cells(Row("", route.rule))
    told = {name: value for name, value in asked.items() if name not in {*_OF_GRPC, "declared"}}
    return {
        "hosts": sorted(route.hosts),
        "methods": sorted(route.methods),
        "path": route.path.text,
        **told,
    }


def _told(table: Table) -> Table:
    """The columns that tell something."""
    silent = {name for name in SELDOM if not any(row[name] for row in table)}
    return [{name: value for name, value in row.items() if name not in silent} for row in table]
