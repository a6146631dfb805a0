"""Rules come from descriptors or a mapping, and nothing half-written opens a door."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import typeid
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Rule
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.v1 import authority_pb2, token_service_pb2
from tests.support.protos import books

_HEALTH = "/grpc.health.v1.Health/Check"
_EXCHANGE = "/caracal.v1.TokenService/Exchange"
_PLACE = "/shop.v1.Orders/Place"
_GATEWAY = typeid("app", 1_790_000_000_000, b"gateway   ")
_MORE: dict[str, Any] = {
    "scopes": ["orders:place"],
    "any_scopes": ["orders:read", "orders:admin"],
    "require_delegation": True,
    "max_hops": 3,
    "chain_must_include": [_GATEWAY],
    "bound": True,
    "single_use": True,
}


def _method_options(**rule: Any) -> bytes:
    """The options of a method, in the wire form that a compiler without our extension keeps."""
    options = descriptor_pb2.MethodOptions()
    options.Extensions[authority_pb2.authority].CopyFrom(authority_pb2.AuthorityRule(**rule))
    return options.SerializeToString()


def _service(
    pool: DescriptorPool, resource: str, methods: dict[str, bytes | None], name: str = "Orders"
) -> ServiceDescriptor:
    """A service in `pool`, whose methods carry these serialized options."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", package="shop.v1")
    file.message_type.add(name=f"Empty{name}")
    service = file.service.add(name=name)
    if resource:
        service.options.Extensions[authority_pb2.resource] = resource
    for method, options in methods.items():
        empty = f".shop.v1.Empty{name}"
        entry = service.method.add(name=method, input_type=empty, output_type=empty)
        if options is not None:
            entry.options.ParseFromString(options)
    pool.Add(file)
    return pool.FindServiceByName(f"shop.v1.{name}")


def test_descriptor_gives_resource_of_service_and_scopes_of_method() -> None:
    """The rule is the service's resource and the method's scopes."""
    options = _method_options(scopes=["orders:place", "orders:read"])
    service = _service(DescriptorPool(), "resource://orders", {"Place": options})
    assert Rules.from_descriptors(service).find(_PLACE) == Rule(
        _PLACE, "resource://orders", frozenset({"orders:place", "orders:read"})
    )


def test_descriptor_and_mapping_give_every_part_of_a_rule() -> None:
    """Both the same, and the scopes of which one is enough in the order written."""
    service = _service(DescriptorPool(), "resource://orders", {"Place": _method_options(**_MORE)})
    mapping = {_PLACE: {"resource": "resource://orders", **_MORE}}
    for rules in (Rules.from_descriptors(service), Rules.from_mapping(mapping)):
        assert rules.find(_PLACE) == Rule(
            _PLACE,
            "resource://orders",
            frozenset({"orders:place"}),
            any_scopes=("orders:read", "orders:admin"),
            require_delegation=True,
            max_hops=3,
            chain_must_include=frozenset({_GATEWAY}),
            bound=True,
            single_use=True,
        )


def test_every_field_of_a_rule_is_read() -> None:
    """What the contract has, a mapping has under the same name."""
    written = {field.name for field in authority_pb2.AuthorityRule.DESCRIPTOR.fields}
    assert written == _MORE.keys() | {"public", "public_reason", "resource"}


def test_one_of_several_scopes_is_scope_enough() -> None:
    """A rule needs none that is always needed; a set is put in order, a repetition left out."""
    rules = Rules.from_mapping(
        {
            "/x/Set": {"resource": "resource://a", "any_scopes": {"b", "a"}},
            "/x/List": {"resource": "resource://a", "any_scopes": ["b", "a", "b"]},
        }
    )
    found = [rules.find(path) for path in ("/x/Set", "/x/List")]
    assert [rule and rule.any_scopes for rule in found] == [("a", "b"), ("b", "a")]


def test_default_pool_is_read_on_first_use() -> None:
    """A generated service needs no registration: its rule is found by the path."""
    rule = Rules.default().find(_EXCHANGE)
    assert rule is not None
    assert rule.public
    assert rule.public_reason == "the request carries the caller's own credential"


def test_service_loaded_after_the_first_look_is_found() -> None:
    """An unknown service is not remembered as unknown: its code may be imported later."""
    pool = DescriptorPool()
    rules = Rules(pool=pool)
    assert rules.find(_PLACE) is None
    _service(pool, "resource://orders", {"Place": _method_options(scopes=["orders:place"])})
    assert rules.find(_PLACE) is not None


def test_strange_paths_leave_no_trace() -> None:
    """Whoever asks for a million methods that do not exist fills no memory."""
    pool = DescriptorPool()
    _service(pool, "resource://orders", {"Place": _method_options(scopes=["orders:place"])})
    rules = Rules(pool=pool)
    known = len(rules._rules)
    for number in range(2, 1_000):
        assert rules.find(f"/shop.v1.Orders/M{number}") is None
        assert rules.find(f"/shop.v{number}.Orders/Place") is None
    assert len(rules._rules) == known + 1
    assert len(rules._resolved) < 10


@pytest.mark.parametrize("path", ["", "/", "//", "a", "/a", "a/b", "/a/b/c", "/\ud800/x", "/a\0/b"])
def test_malformed_path_has_no_rule(path: str) -> None:
    """No path crashes the search."""
    assert Rules.default().find(path) is None


@given(st.text())
def test_any_path_is_answered(path: str) -> None:
    """No text crashes the search, and none but a declared method has a rule."""
    assert Rules.default().find(f"/{path}") is None


def test_method_without_option_has_no_rule() -> None:
    """Nothing declared means nothing granted, not public."""
    service = _service(DescriptorPool(), "resource://orders", {"Place": None})
    assert Rules.from_descriptors(service).find(_PLACE) is None


@pytest.mark.parametrize(
    ("resource", "rule"),
    [
        ("", {"scopes": ["orders:place"]}),
        ("resource://orders", {}),
        ("resource://orders", {"scopes": ["orders:place"], "public": True}),
        ("resource://orders", {"scopes": ["orders place"]}),
        ("resource://orders", {"scopes": [""]}),
        ("resource://orders", {"public_reason": "because"}),
        ("resource://orders", {"bound": True}),
        ("resource://orders", {"require_delegation": True, "public": True}),
        ("resource://orders", {"single_use": True, "public": True}),
        ("resource://orders", {"single_use": True}),
        ("resource://orders", {"scopes": ["a"], "max_hops": 4_294_967_295}),
        ("resource://orders", {"scopes": ["a"], "chain_must_include": ["gateway"]}),
    ],
)
def test_half_written_rule_counts_as_not_declared(
    resource: str, rule: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A rule that contradicts itself is no rule, and the log says which and why."""
    service = _service(DescriptorPool(), resource, {"Place": _method_options(**rule)})
    with caplog.at_level(logging.ERROR):
        assert Rules.from_descriptors(service).find(_PLACE) is None
    assert _PLACE in caplog.text


def test_half_written_rule_spoils_no_other() -> None:
    """One bad method leaves the service's others as declared."""
    methods = {"Bad": _method_options(), "Place": _method_options(scopes=["orders:place"])}
    service = _service(DescriptorPool(), "resource://orders", methods)
    assert Rules.from_descriptors(service).find(_PLACE) is not None


def test_options_kept_as_unknown_fields_are_read() -> None:
    """A descriptor that was built where our extension was unknown still says what it says."""
    unknown = descriptor_pb2.MethodOptions.FromString(_method_options(scopes=["orders:place"]))
    wire = unknown.SerializeToString()
    pool = DescriptorPool()
    file = descriptor_pb2.FileDescriptorProto(name="late.proto", package="shop.v1")
    file.message_type.add(name="E")
    service = file.service.add(name="Orders")
    service.options.ParseFromString(
        descriptor_pb2.ServiceOptions.FromString(b"").SerializeToString()
    )
    service.method.add(name="Place", input_type=".shop.v1.E", output_type=".shop.v1.E")
    service.method[0].options.ParseFromString(wire)
    pool.AddSerializedFile(file.SerializeToString())
    found = pool.FindServiceByName("shop.v1.Orders")
    found.GetOptions()
    # Scopes without a resource: read in full, so refused as half-written rather than as absent.
    assert Rules.from_descriptors(found).find(_PLACE) is None
    assert Rules.from_descriptors(found, overrides={_PLACE: {"public": True}}).find(_PLACE)


def test_a_service_is_known_whatever_its_methods_declare() -> None:
    """By its name in lower case: of descriptors, of a mapping, or of what is loaded and read."""
    rules = Rules.from_descriptors(books({"Read": None}), overrides={_PLACE: {"public": True}})
    assert rules.knows("test.books.books")
    assert rules.knows("shop.v1.orders")
    assert rules.knows("grpc.health.v1.health")
    assert not rules.knows("test.books")
    loaded = Rules.default()
    assert loaded.find(_EXCHANGE)
    assert loaded.knows("caracal.v1.tokenservice")


def test_health_and_reflection_are_public_by_default() -> None:
    """What load balancers and tools call needs no mandate."""
    for rules in (Rules.default(), Rules.from_mapping({}), Rules.from_descriptors()):
        for path in (
            _HEALTH,
            "/grpc.health.v1.Health/Watch",
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        ):
            rule = rules.find(path)
            assert rule is not None
            assert rule.public


def test_health_asks_for_scopes_when_told() -> None:
    """A mapping wins over the built-in table."""
    entry = {"resource": "resource://ops", "scopes": ["ops:read"]}
    rule = Rules.default(overrides={_HEALTH: entry}).find(_HEALTH)
    assert rule == Rule(_HEALTH, "resource://ops", frozenset({"ops:read"}))


def test_mapping_wins_over_the_descriptor() -> None:
    """Precedence: mapping, descriptor, built-in table; for the default pool and for given ones."""
    entry = {"resource": "resource://caracal", "scopes": ["caracal:keys:read"]}
    service = token_service_pb2.DESCRIPTOR.services_by_name["TokenService"]
    for rules in (
        Rules.default(overrides={_EXCHANGE: entry}),
        Rules.from_descriptors(service, overrides={_EXCHANGE: entry}),
    ):
        rule = rules.find(_EXCHANGE)
        assert rule is not None
        assert not rule.public


def test_override_of_one_method_keeps_the_descriptors_others() -> None:
    """An override of a method that is no longer there leaves the service's real ones found."""
    overrides = {"/caracal.v1.TokenService/Ping": {"public": True, "public_reason": "ping"}}
    rules = Rules.default(overrides=overrides)
    assert rules.find("/caracal.v1.TokenService/Ping") is not None
    assert rules.find(_EXCHANGE) is not None


def test_mapping_gives_public_and_scoped_rules() -> None:
    """Both kinds of entry read as the rule that they say."""
    rules = Rules.from_mapping(
        {
            _PLACE: {"resource": "resource://orders", "scopes": ["orders:place"]},
            "/x/Ping": {"public": True, "public_reason": "answers nothing"},
        }
    )
    assert rules.find(_PLACE) == Rule(_PLACE, "resource://orders", frozenset({"orders:place"}))
    assert rules.find("/x/Ping") == Rule("/x/Ping", public=True, public_reason="answers nothing")
    assert rules.find("/x/Pong") is None


@pytest.mark.parametrize(
    ("path", "entry"),
    [
        ("x.Y/Z", {"public": True}),
        ("/x.Y", {"public": True}),
        ("/x/ Y", {"public": True}),
        ("//Z", {"public": True}),
        ("/x.Y/Z", {}),
        ("/x.Y/Z", {"public": False}),
        ("/x.Y/Z", {"public": "yes"}),
        ("/x.Y/Z", {"scopes": ["a"]}),
        ("/x.Y/Z", {"resource": "resource://a"}),
        ("/x.Y/Z", {"resource": "resource://a", "scopes": []}),
        ("/x.Y/Z", {"resource": "resource://a", "scopes": "orders:place"}),
        ("/x.Y/Z", {"resource": "resource://a", "scopes": [1]}),
        ("/x.Y/Z", {"resource": "resource://a", "scopes": ["a b"]}),
        ("/x.Y/Z", {"resource": 7, "scopes": ["a"]}),
        ("/x.Y/Z", {"resource": "resource://a", "scopes": ["a"], "public": True}),
        ("/x.Y/Z", {"resource": "resource://a", "scope": ["a"]}),
        ("/x.Y/Z", {"resource": "resource://a", "scopes": [f"s{n}" for n in range(65)]}),
        ("/x.Y/Z", ["public"]),
        ("/x.Y/Z", {"resource": "resource://a", "any_scopes": "a"}),
        ("/x.Y/Z", {"resource": "resource://a", "any_scopes": [f"s{n}" for n in range(9)]}),
        ("/x.Y/Z", {"resource": "resource://a", "scopes": ["a"], "any_scopes": ["a"]}),
        ("/x.Y/Z", {"resource": "resource://a", "scopes": ["a"], "any_scopes": [["b"]]}),
        ("/x.Y/Z", {"resource": "resource://a", "scopes": ["a"], "max_hops": True}),
        ("/x.Y/Z", {"resource": "resource://a", "scopes": ["a"], "max_hops": -1}),
        ("/x.Y/Z", {"resource": "resource://a", "scopes": ["a"], "max_hops": "3"}),
        ("/x.Y/Z", {"resource": "resource://a", "scopes": ["a"], "bound": 1}),
        ("/x.Y/Z", {"resource": "resource://a", "scopes": ["a"], "require_delegation": None}),
        ("/x.Y/Z", {"resource": "resource://a", "scopes": ["a"], "chain_must_include": ["app_x"]}),
        ("/x.Y/Z", {"resource": "resource://a", "require_delegation": True}),
        ("/x.Y/Z", {"public": True, "max_hops": 1}),
    ],
)
def test_bad_mapping_is_refused_naming_the_path(path: str, entry: Any) -> None:
    """A typing error in a mapping is FIELD_INVALID at the start, never a silent open door."""
    with pytest.raises(CaracalError) as caught:
        Rules.from_mapping({path: entry})
    assert caught.value.reason is Reason.FIELD_INVALID
    assert path in caught.value.violations[0].field


def test_own_protos_are_in_the_default_pool() -> None:
    """The default pool holds every generated service of this process."""
    assert descriptor_pool.Default().FindServiceByName("caracal.v1.TokenService") is not None
