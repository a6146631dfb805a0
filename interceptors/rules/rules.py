"""Which authority each method asks for: from descriptors, or a mapping for protos of others."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pool import Default, DescriptorPool

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.ids import APPLICATION, require_id
from caracal_grpc.core.limits import MAX_ANY_SCOPES, MAX_HOPS, MAX_SCOPES
from caracal_grpc.core.rule import Rule
from caracal_grpc.interceptors.resource_field import require_field
from caracal_grpc.v1 import authority_pb2

_log = logging.getLogger(__name__)

_INFRASTRUCTURE: Final = (
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/List",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
)
_PUBLIC_INFRASTRUCTURE: Final = {
    method: Rule(method, public=True, public_reason="health and reflection of gRPC itself")
    for method in _INFRASTRUCTURE
}
_INFRASTRUCTURE_SERVICES: Final = frozenset(path.split("/")[1] for path in _INFRASTRUCTURE)

_RESOURCE: Final[Any] = authority_pb2.resource
_AUTHORITY: Final[Any] = authority_pb2.authority
_NOTHING_ASKED: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "scopes": (),
        "public": False,
        "public_reason": "",
        "any_scopes": (),
        "require_delegation": False,
        "max_hops": 0,
        "chain_must_include": (),
        "bound": False,
        "single_use": False,
        "resource": "",
    }
)
"""The fields of `AuthorityRule`, each as it is when it is not written."""

_LIMITS: Final = {
    "scopes": MAX_SCOPES,
    "any_scopes": MAX_ANY_SCOPES,
    "chain_must_include": MAX_HOPS,
}
_KINDS: Final = {bool: "true or false", int: "a whole number", str: "a string", tuple: "a list"}
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Rules:
    """The rule of each method, by its full path `/package.Service/Method`.

    What a mapping says wins over the descriptor, and both over the built-in table by which gRPC's
    health and reflection services are public. A method that none of them names has no rule, and a
    guard refuses it. Safe to share between threads.
    """

    def __init__(
        self,
        rules: Iterable[Rule] = (),
        *,
        pool: DescriptorPool | None = None,
        services: Iterable[str] = (),
    ) -> None:
        """Of `rules`, the last of a method wins; with a `pool`, others are looked up in it.

        `services` are known by their full names, whether or not a method of them has a rule.
        """
        given = {rule.method: rule for rule in rules}
        self._rules: dict[str, Rule] = _PUBLIC_INFRASTRUCTURE | given
        self._pool = pool
        self._resolved: set[str] = set(_INFRASTRUCTURE_SERVICES)
        named = (*map(_service_of, self._rules), *services)
        self._services = {name.lower() for name in named}

    @classmethod
    def from_descriptors(
        cls,
        *services: ServiceDescriptor,
        overrides: Mapping[str, Mapping[str, Any]] = _NOTHING,
    ) -> Rules:
        """The rules declared on `services`, those of `overrides` (a mapping) before them."""
        declared = [rule for service in services for rule in _service_rules(service)]
        names = [service.full_name for service in services]
        return cls([*declared, *_mapping_rules(overrides)], services=names)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Mapping[str, Any]]) -> Rules:
        """The rules of protos that cannot be changed.

        Each value is `{"resource": ..., "scopes": [...]}`, with whatever else `AuthorityRule` has,
        or `{"public": true, "public_reason": ...}`. Raises `FIELD_INVALID` naming each bad path.
        """
        return cls(_mapping_rules(mapping))

    @classmethod
    def default(cls, *, overrides: Mapping[str, Mapping[str, Any]] = _NOTHING) -> Rules:
        """The rules of every service whose generated code is loaded, read when first asked for.

        Raises `FIELD_INVALID` for a bad entry of `overrides`.
        """
        return cls(_mapping_rules(overrides), pool=Default())

    def find(self, method: str) -> Rule | None:
        """The rule of `method`, `/package.Service/Method`; `None` when there is none."""
        rule = self._rules.get(method)
        if rule is not None or self._pool is None:
            return rule
        service = _service_of(method)
        if service not in self._resolved:
            self._resolve(service, self._pool)
        return self._rules.get(method)

    def knows(self, service: str) -> bool:
        """Whether `service`, written in lower case, was read, or a method of it has a rule."""
        return service in self._services

    def _resolve(self, service: str, pool: DescriptorPool) -> None:
        """Reads one whole service, once. What is remembered is bounded by the code that is loaded:
        a service that the pool does not know (yet) leaves no trace, however many are asked for.
        """
        try:
            descriptor = pool.FindServiceByName(service)
        except (KeyError, TypeError):  # TypeError: a lone surrogate
            return
        for rule in _service_rules(descriptor):
            self._rules.setdefault(rule.method, rule)
        self._services.add(service.lower())
        self._resolved.add(service)


def declared_rule(method: MethodDescriptor) -> Rule | None:
    """The rule that `method` declares beside itself; `None` when it declares none.

    Raises `FIELD_INVALID` for a half-written one. The options are parsed anew: a descriptor from a
    pool that was loaded before our extension was known holds them as unknown fields.
    """
    options = descriptor_pb2.MethodOptions.FromString(method.GetOptions().SerializeToString())
    if not options.HasExtension(_AUTHORITY):
        return None
    rule = options.Extensions[_AUTHORITY]
    values = {name: getattr(rule, name) for name in _NOTHING_ASKED}
    read = _rule(method_path(method), _resource(method.containing_service), values)
    require_field(read, method.input_type)
    return read


def _service_of(method: str) -> str:
    return method.rpartition("/")[0].removeprefix("/")


def method_path(method: MethodDescriptor) -> str:
    """The full path by which `method` is called, `/package.Service/Method`."""
    return f"/{method.containing_service.full_name}/{method.name}"


def _resource(service: ServiceDescriptor) -> str:
    options = descriptor_pb2.ServiceOptions.FromString(service.GetOptions().SerializeToString())
    return str(options.Extensions[_RESOURCE])


def _service_rules(service: ServiceDescriptor) -> list[Rule]:
    found = (_method_rule(method) for method in service.methods)
    return [rule for rule in found if rule is not None]


def _method_rule(method: MethodDescriptor) -> Rule | None:
    """The rule of one method; `None` without one and, with a log record, for a half-written one."""
    try:
        return declared_rule(method)
    except CaracalError as error:
        _log.error("%s counts as not declared: %s", method_path(method), error.message)
        return None


def _mapping_rules(mapping: Mapping[str, Mapping[str, Any]]) -> list[Rule]:
    return [_mapping_rule(path, entry) for path, entry in mapping.items()]


def _mapping_rule(path: object, entry: object) -> Rule:
    if not isinstance(path, str) or not _is_method_path(path):
        raise field_invalid(str(path), "must be a full method path, /package.Service/Method")
    return mapped_rule(path, entry)


def mapped_rule(name: str, entry: object) -> Rule:
    """The rule that `entry` of a mapping says for what is called `name`; raises `FIELD_INVALID`."""
    if not isinstance(entry, Mapping):
        raise field_invalid(name, "must be a mapping with resource and scopes, or public")
    unknown = sorted(str(key) for key in entry if key not in _NOTHING_ASKED)
    if unknown:
        raise field_invalid(
            f"{name}.{unknown[0]}", f"unknown; the keys are {sorted(_NOTHING_ASKED)}"
        )
    values = {key: _typed(name, entry, key, default) for key, default in _NOTHING_ASKED.items()}
    return _rule(name, "", values)


def _is_method_path(path: str) -> bool:
    root, _, rest = path.partition("/")
    names = rest.split("/")
    return not root and len(names) == 2 and all(name and name.strip() == name for name in names)


def _typed(path: str, entry: Mapping[str, Any], key: str, default: Any) -> Any:
    value = entry.get(key, default)
    fits = (list, tuple, set, frozenset) if isinstance(default, tuple) else (type(default),)
    if type(value) not in fits:
        raise field_invalid(f"{path}.{key}", f"must be {_KINDS[type(default)]}")
    return value


def _rule(path: str, resource: str, values: Mapping[str, Any]) -> Rule:
    """The rule that `values`, by the names of `AuthorityRule`, make; raises `FIELD_INVALID`.

    `resource` is the service's, for a method that asks for something and names none itself.
    """
    words = {name: _words(path, name, values[name]) for name in _LIMITS}
    for application in words["chain_must_include"]:
        require_id(f"{path}.chain_must_include", application, APPLICATION)
    public = values["public"]
    return Rule(
        path,
        values["resource"] or ("" if public else resource),
        frozenset(words["scopes"]),
        public,
        values["public_reason"] if public else "",
        words["any_scopes"],
        values["require_delegation"],
        values["max_hops"],
        frozenset(words["chain_must_include"]),
        values["bound"],
        values["single_use"],
    )


def _words(path: str, name: str, values: Collection[Any]) -> tuple[str, ...]:
    """Each of `values` once, in their order or, of a set, sorted; raises `FIELD_INVALID`."""
    if len(values) > _LIMITS[name]:
        raise field_invalid(f"{path}.{name}", f"has more than {_LIMITS[name]}")
    for value in values:
        if not isinstance(value, str) or len(value.split()) != 1 or value.strip() != value:
            raise field_invalid(f"{path}.{name}", "each must be one word, such as orders:place")
    ordered = sorted(values) if isinstance(values, set | frozenset) else values
    return tuple(dict.fromkeys(ordered))
