"""What the settings declare, read into rules and routes: each error says where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.mesh.overview import Overview, overview
from caracal_grpc.settings.mesh import MeshSettings
from tests.mesh.test_settings import FIT, GATEWAY, OUTBOUND, PLACING
from tests.support.protos import FAULTY, Declared, proto

PLACE = "/shop.v1.Orders/Place"


def seen(**changes: Any) -> list[Overview]:
    """What `mesh check` sees."""
    return overview(MeshSettings.load(FIT | changes, Path("/etc/caracal")))


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"methods": {"Place": PLACING}}, "inbound.methods.Place"),
        ({"methods": {PLACE: {**PLACING, "scope": "x"}}}, f"inbound.methods.{PLACE}.scope"),
        ({"methods": {PLACE: {**PLACING, "scopes": "x"}}}, f"inbound.methods.{PLACE}.scopes"),
        ({"routes": [{"path": "orders", **PLACING}]}, "inbound.routes[0].path"),
        ({"routes": [{"path": "/a/../b", **PLACING}]}, "inbound.routes[0].path"),
        (
            {"routes": [{"path": "/a", **PLACING}, {"path": "/b", "scope": "x"}]},
            "inbound.routes[1].scope",
        ),
        ({"routes": [{"path": "/a", **PLACING, "methods": ["get"]}]}, "inbound.routes[0].methods"),
        ({"routes": [{"path": "/a", **PLACING, "hosts": ["A:80"]}]}, "inbound.routes[0].hosts"),
        ({"routes": [{"path": "/a", **PLACING}] * 2}, "inbound.routes[1].methods"),
        ({"descriptor_sets": ["none.binpb"]}, "inbound.descriptor_sets[0]"),
    ],
)
def test_what_is_wrong_is_told_by_its_path(changes: dict[str, Any], path: str) -> None:
    """As it stands in the document."""
    with pytest.raises(CaracalError) as caught:
        seen(inbound=changes)
    assert [each.field for each in caught.value.violations] == [path]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"gateway": {"routes": [{"path": "/v1", **PLACING}]}}, "gateway.routes[0].upstream"),
        (
            {"outbound": OUTBOUND | {"upstreams": {"a": {"hosts": ["A"], "resources": ["x"]}}}},
            "outbound.upstreams.a.hosts",
        ),
        ({"outbound": OUTBOUND | {"serves": ["resource://orders", "x"]}}, "outbound.serves[1]"),
        ({"outbound": OUTBOUND | {"correlate_seconds": 0}}, "outbound.correlate_seconds"),
        (
            {
                "outbound": OUTBOUND
                | {
                    "correlate": "traceparent",
                    "upstreams": {
                        "payments": OUTBOUND["upstreams"]["payments"] | {"on_behalf": "optional"}
                    },
                }
            },
            "outbound.upstreams.payments.on_behalf",
        ),
    ],
)
def test_so_it_is_for_other_ways(changes: dict[str, Any], path: str) -> None:
    """Those that go out, and through a gateway."""
    with pytest.raises(CaracalError) as caught:
        seen(**changes)
    assert [each.field for each in caught.value.violations] == [path]


def write_set(path: Path, methods: Declared = FAULTY) -> str:
    """A descriptor set with a method of each kind that is wrong, at `path`."""
    path.write_bytes(FileDescriptorSet(file=[proto("test.books", methods)]).SerializeToString())
    return str(path)


def test_protos_declare_their_rules_themselves(tmp_path: Path) -> None:
    """What a mapping says wins; and what is wrong with either is found."""
    path = "/test.books.Books"
    mapped = {f"{path}/Forgotten": PLACING, f"{path}/Gone": PLACING, PLACE: PLACING}
    sets = [write_set(tmp_path / "books.binpb")]
    (inbound,) = seen(inbound={"descriptor_sets": sets, "methods": mapped})
    names = {each["method"]: each["declared"] for each in inbound.methods}
    assert names == {
        **dict.fromkeys(("Charge", "Forgotten", "Open", "Read", "Place"), True),
        "Half": False,
    }
    assert {(each.path, each.kind) for each in inbound.findings} == {
        (f"{path}/Half", "half-written"),
        (f"{path}/Open", "unreasoned"),
        (f"{path}/Gone", "stray"),
    }


def test_two_descriptor_sets_may_not_contradict_each_other(tmp_path: Path) -> None:
    """The same one twice is no contradiction."""
    one = write_set(tmp_path / "one.binpb")
    other = write_set(tmp_path / "other.binpb", {"Read": {"scopes": ["books:read"]}})
    seen(inbound={"descriptor_sets": [one, one]})
    with pytest.raises(CaracalError) as caught:
        seen(inbound={"descriptor_sets": [one, other]})
    assert caught.value.violations[0].field == "inbound.descriptor_sets[1]"


def test_each_way_is_seen() -> None:
    """With its methods and its routes."""
    charging = {"resource": "resource://payments", "scopes": ["payments:charge"]}
    shown = seen(gateway=GATEWAY, outbound=OUTBOUND | {"methods": {PLACE: charging}})
    assert [each.way for each in shown] == ["inbound", "outbound", "gateway"]
    assert [len(each.methods) for each in shown] == [1, 1, 0]
    assert shown[2].routes[0]["upstream"] == "crm"
    assert not [finding for each in shown for finding in each.findings]


def test_what_would_be_refused_always_is_found() -> None:
    """Before anybody is refused."""
    templated = {"resource": "resource://orders/{id}", "scopes": ["orders:place"]}
    (inbound,) = seen(
        inbound={"methods": {PLACE: templated}, "routes": [{"path": "/a", "public": True}]}
    )
    assert {each.kind for each in inbound.findings} == {"unjudgeable", "unreasoned"}
    (nothing,) = seen(inbound={})
    assert [each.kind for each in nothing.findings] == ["undeclared"]


def test_a_method_that_no_upstream_serves_is_found() -> None:
    """It is declared, and every call of it would be refused all the same."""
    one = PLACING | {"resource": "resource://orders/{id}"}
    routes = [{"path": "/orders", **PLACING}, {"path": "/orders/{id}", **one}]
    declared = {"methods": {PLACE: PLACING}, "routes": routes}
    _, outbound = seen(outbound=OUTBOUND | declared)
    assert [each.kind for each in outbound.findings] == ["unserved"] * 3
    all_orders = {"hosts": ["orders"], "resources": ["resource://orders", "resource://orders/*"]}
    _, outbound = seen(outbound=OUTBOUND | declared | {"upstreams": {"orders": all_orders}})
    assert outbound.findings == []
