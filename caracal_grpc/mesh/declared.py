"""What the settings declare of requests: rules of gRPC methods, and routes of plain HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import ServiceDescriptorProto

from caracal_grpc.core.errors import CaracalError, FieldViolation, field_invalid
from caracal_grpc.core.ids import require_resource_or_family
from caracal_grpc.core.ports import Clock
from caracal_grpc.interceptors.rules.rules import Rules, mapped_rule
from caracal_grpc.interceptors.rules.sources import set_services
from caracal_grpc.mesh.arrivals import Arrivals
from caracal_grpc.mesh.gateway import GatewayRoute
from caracal_grpc.mesh.paths import PathTemplate
from caracal_grpc.mesh.routes import Route, Routes
from caracal_grpc.mesh.upstreams import Upstream, Upstreams, require_known_callers
from caracal_grpc.settings import mesh as settings
from caracal_grpc.settings.document import refusal, within

T = TypeVar("T")
R = TypeVar("R", bound=settings.DeclaredRoute)


def services_of(place: str, declared: settings.Declared) -> tuple[ServiceDescriptor, ...]:
    """The services of all descriptor sets; raises `FIELD_INVALID`, also when two contradict."""
    found: dict[str, ServiceDescriptor] = {}
    for index, path in enumerate(declared.descriptor_sets):
        own = f"{place}.descriptor_sets[{index}]"
        for service in within(own, partial(set_services, path), str(path)):
            known = found.setdefault(service.full_name, service)
            if _written(known) != _written(service):
                text = f"has another {service.full_name} than one before it; build them as one"
                raise field_invalid(own, text)
    return tuple(found.values())


def rules_of(place: str, declared: settings.Declared) -> Rules:
    """The rules of gRPC methods; raises `FIELD_INVALID` with the path of each that is wrong."""
    methods: Mapping[str, Mapping[str, Any]] = declared.methods
    services = services_of(place, declared)
    make = partial(Rules.from_descriptors, *services, overrides=methods)
    return within(f"{place}.methods", make)


def routes_of(place: str, declared: settings.Declared) -> list[Route]:
    """The routes of plain HTTP; raises `FIELD_INVALID` with the path of each that is wrong."""
    routes = _each(f"{place}.routes", declared.routes, _route)
    Routes(routes)
    return routes


def gateway_routes(place: str, declared: settings.Gateway) -> list[GatewayRoute]:
    """The routes of a gateway; raises `FIELD_INVALID` with the path of each that is wrong."""

    def make(own: str, each: settings.GatewayRoute) -> GatewayRoute:
        return GatewayRoute(_route(own, each), each.upstream)

    routes = _each(f"{place}.routes", declared.routes, make)
    Routes(each.route for each in routes)
    return routes


def upstreams_of(place: str, declared: settings.Outbound) -> Upstreams:
    """Where requests go; raises `FIELD_INVALID`."""

    def make() -> Upstreams:
        upstreams = Upstreams(
            Upstream(name, frozenset(each.hosts), frozenset(each.resources), each.on_behalf)
            for name, each in declared.upstreams.items()
        )
        require_known_callers(upstreams, declared.correlate)
        return upstreams

    return within(place, make)


def served_by(place: str, declared: settings.Outbound) -> frozenset[str]:
    """What the workload serves itself; raises `FIELD_INVALID`."""
    for index, resource in enumerate(declared.serves):
        require_resource_or_family(f"{place}.serves[{index}]", resource)
    return frozenset(declared.serves)


def arrivals_of(place: str, declared: settings.Outbound, clock: Clock) -> Arrivals:
    """The memory that the way out finds callers by; raises `FIELD_INVALID`."""
    make = partial(Arrivals, clock, declared.correlate, hold=declared.correlate_seconds)
    return within(place, make)


def _route(place: str, declared: settings.DeclaredRoute) -> Route:
    return Route(
        PathTemplate.parse(declared.path, f"{place}.path"),
        mapped_rule(place, declared.rule),
        frozenset(declared.methods),
        frozenset(declared.hosts),
    )


def _each(place: str, declared: Iterable[R], make: Callable[[str, R], T]) -> list[T]:
    """What `make` makes of each; raises `FIELD_INVALID` for all of them that are wrong."""
    made: list[T] = []
    wrong: list[FieldViolation] = []
    for index, each in enumerate(declared):
        try:
            made.append(make(f"{place}[{index}]", each))
        except CaracalError as error:
            wrong += error.violations
    if wrong:
        raise refusal(wrong)
    return made


def _written(service: ServiceDescriptor) -> ServiceDescriptorProto:
    written = ServiceDescriptorProto()
    service.CopyToProto(written)
    return written
