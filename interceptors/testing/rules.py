"""The rules of a service, held in its own tests."""

from __future__ import annotations

from caracal_grpc.interceptors.rules.matrix import (
    NO_OVERRIDES,
    Overrides,
    Resources,
    findings,
    matrix,
    stray,
)
from caracal_grpc.interceptors.rules.sources import Source, services_of


def assert_rules(
    *sources: Source,
    resources: Resources | None = None,
    overrides: Overrides = NO_OVERRIDES,
) -> None:
    """Raises `AssertionError`, a line for each finding, unless every method has a sound rule.

    `sources` are generated modules (`orders_pb2`), modules or packages that hold some, names of
    either, or descriptors. With `resources`, those of a zone by name with their scopes, a rule may
    name nothing else. `overrides` is the mapping that the guard is given for protos that cannot be
    changed. Raises `FIELD_INVALID` for a source without services: no test passes on nothing.

        def test_rules() -> None:
            assert_rules(orders_pb2, resources={"resource://orders": {"orders:place"}})
    """
    if not sources:
        raise TypeError("assert_rules takes at least one module, proto or service")
    rows = matrix(services_of(*sources), overrides)
    found = [*findings(rows, resources), *stray(rows, overrides)]
    if found:
        raise AssertionError("\n".join(map(str, found)))
