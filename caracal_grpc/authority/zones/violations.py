"""What is wrong with a declaration, found piece by piece, each with its path."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from caracal_grpc.authority.state.names import scopes_exist
from caracal_grpc.core.ceiling import Ceiling
from caracal_grpc.core.errors import CaracalError, FieldViolation
from caracal_grpc.core.reason import Reason


def require(violations: Iterable[FieldViolation]) -> None:
    """Raises `FIELD_INVALID` with the first fifty of `violations`, if there are any."""
    found = tuple(islice(violations, 50))
    if found:
        text = f"{found[0].field}: {found[0].description}"
        raise CaracalError(Reason.FIELD_INVALID, text, violations=found)


def ceiling_violations(
    path: str, ceiling: Ceiling, known: Mapping[str, frozenset[str]]
) -> Iterable[FieldViolation]:
    """What is wrong with a ceiling, given the scopes of each resource that it may name."""
    for resource, scopes in (ceiling.limits or {}).items():
        yield from scopes_exist(path, resource, scopes, known)


def at_most(path: str, count: int, limit: int) -> Iterable[FieldViolation]:
    """A violation when there are more than `limit`."""
    if count > limit:
        yield FieldViolation(path, f"must be at most {limit}")


def unique(path: str, names: Iterable[str]) -> Iterable[FieldViolation]:
    """A violation for each name that is declared several times."""
    for name, count in Counter(names).items():
        if count > 1:
            yield FieldViolation(path, f"{name[:64]} is declared {count} times")


def tried(require: Any, path: str, value: Any) -> Iterable[FieldViolation]:
    """The violations that a check of `core.ids` raises, if any."""
    try:
        require(path, value)
    except CaracalError as error:
        yield from error.violations
