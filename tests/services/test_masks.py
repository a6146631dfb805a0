"""Field masks: which fields of what was sent are taken over."""

from __future__ import annotations

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.services.masks import leaves_of, merged
from caracal_grpc.v1 import resource_pb2, upstream_pb2, zone_pb2

LEAVES = ("scopes", "max_ttl_seconds", "may_act")
SETTINGS = tuple(leaves_of(zone_pb2.ZoneSettings.DESCRIPTOR, "settings"))


def resource(**fields: object) -> resource_pb2.Resource:
    """A resource, as it is."""
    return resource_pb2.Resource(name="resource://a", **fields)  # type: ignore[arg-type]


PRESENT = resource(scopes=["a", "b"], max_ttl_seconds=60, may_act=[{"actor": "x"}])


def test_empty_mask_takes_what_is_set() -> None:
    """And leaves the rest."""
    wanted = resource_pb2.Resource(name="resource://b", scopes=["c"])
    result = merged(PRESENT, wanted, FieldMask(), LEAVES)
    assert result == resource(scopes=["c"], max_ttl_seconds=60, may_act=[{"actor": "x"}])


def test_mask_takes_exactly_what_it_names() -> None:
    """Also what is not set: that is set back."""
    wanted = resource(scopes=["c"], may_act=[{"actor": "y"}])
    result = merged(PRESENT, wanted, FieldMask(paths=["max_ttl_seconds", "may_act"]), LEAVES)
    assert result == resource(scopes=["a", "b"], may_act=[{"actor": "y"}])


def test_star_takes_everything_that_can_be_changed() -> None:
    """The name stays."""
    wanted = resource_pb2.Resource(name="resource://b", scopes=["c"])
    assert merged(PRESENT, wanted, FieldMask(paths=["*"]), LEAVES) == resource(scopes=["c"])


@pytest.mark.parametrize(
    "path", ["name", "etag", "", "scope", "may_act.actor", "scopes.0", "scopes,max_ttl_seconds"]
)
def test_other_paths_are_refused(path: str) -> None:
    """What is unknown, set by the authority, or inside a field that is taken whole."""
    with pytest.raises(CaracalError, match="update_mask"):
        merged(PRESENT, PRESENT, FieldMask(paths=["scopes", path]), LEAVES)


def test_star_is_alone() -> None:
    """Beside others it would be a mistake."""
    with pytest.raises(CaracalError, match="alone"):
        merged(PRESENT, PRESENT, FieldMask(paths=["*", "scopes"]), LEAVES)


def test_nothing_that_was_given_is_changed() -> None:
    """The result is another message."""
    before = PRESENT.SerializeToString()
    merged(PRESENT, resource(scopes=["z"]), FieldMask(paths=["*"]), LEAVES)
    assert PRESENT.SerializeToString() == before


def test_paths_lead_into_messages() -> None:
    """To one field, or to all of a message; an empty mask finds those that are set there."""
    present = zone_pb2.Zone(
        settings={"max_hops": 3, "limits": {"zone_per_second": 10, "zone_burst": 20}}
    )
    wanted = zone_pb2.Zone(settings={"max_hops": 9, "limits": {"zone_burst": 30}})
    one = merged(present, wanted, FieldMask(paths=["settings.limits.zone_burst"]), SETTINGS)
    assert (one.settings.max_hops, one.settings.limits.zone_burst) == (3, 30)
    whole = merged(present, wanted, FieldMask(paths=["settings.limits"]), SETTINGS)
    assert (whole.settings.max_hops, whole.settings.limits.zone_per_second) == (3, 0)
    those_set = merged(present, wanted, FieldMask(), SETTINGS)
    assert those_set.settings.max_hops == 9
    assert those_set.settings.limits.zone_per_second == 10
    assert those_set.settings.limits.zone_burst == 30


def test_one_of_several_stays_the_one_that_was_set() -> None:
    """Everything is taken over, and what was not sent is not there, not even empty."""
    leaves = ("resource", "header", "bearer", "basic")
    present = upstream_pb2.UpstreamCredential(resource="resource://a", header={"name": "x-a"})
    wanted = upstream_pb2.UpstreamCredential(resource="resource://b", bearer={"token": "t"})
    result = merged(present, wanted, FieldMask(paths=["*"]), leaves)
    assert result == wanted
    assert merged(present, wanted, FieldMask(), leaves) == wanted
    only = merged(present, wanted, FieldMask(paths=["resource"]), leaves)
    assert (only.resource, only.WhichOneof("credential")) == ("resource://b", "header")
    bare = merged(present, upstream_pb2.UpstreamCredential(), FieldMask(paths=["header"]), leaves)
    assert bare.WhichOneof("credential") is None
