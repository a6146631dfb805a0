"""The objects of a zone, read one by one and page by page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from caracal_grpc.authority.state.access import require_zone
from caracal_grpc.authority.state.slices import in_slices
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.authority.zones.kinds import Kind, T, W, etag_of
from caracal_grpc.core.filters import Filter, parse_filter
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.paging import Page, last_of, page_of

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Found(Generic[V]):
    """An object as it is, and what changes with each change of it."""

    value: V
    etag: str


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of a list: a filter after `core.filters`, how many, and after which page."""

    filter: str
    size: int
    token: str


class Objects:
    """Reads objects of every kind."""

    def __init__(self, state: State) -> None:
        self._state = state

    def get(self, caller: Mandate, zone: str, kind: Kind[T, W], name: str) -> Found[T]:
        """One by its name; raises `FIELD_INVALID`, `OBJECT_NOT_FOUND`, `ZONE_FORBIDDEN`."""
        require_zone(caller, zone)
        self._state.zone(zone)
        found = kind.find(self._state, zone, kind.named(kind.name, name))
        if found is None:
            raise not_found(kind.name, name)
        return self._found(zone, kind, found)

    async def list(
        self, caller: Mandate, zone: str, kind: Kind[T, W], query: Query
    ) -> Page[Found[T]]:
        """One page, in the order of names, in slices; raises `FIELD_INVALID` for a filter or a page
        token that is none, `OBJECT_NOT_FOUND`, `ZONE_FORBIDDEN`.
        """
        require_zone(caller, zone)
        self._state.zone(zone)
        wanted = parse_filter("filter", query.filter, kind.fields)
        question = f"{zone} {kind.name} {query.filter}"
        after = last_of(question, query.token)
        every = kind.every(self._state, zone)
        fitting = await in_slices(_fitting(every, wanted, after, query.size + 1))
        page = page_of(fitting, lambda each: each.name, question, query.size, query.token)
        return Page(tuple(self._found(zone, kind, each) for each in page.items), page.next_token)

    def _found(self, zone: str, kind: Kind[T, W], found: T) -> Found[T]:
        return Found(found, etag_of(self._state, kind.places(zone, found)))


def _fitting(every: Iterable[T], wanted: Filter, after: str, most: int) -> Iterator[Iterable[T]]:
    """The first `most` that are wanted and come after a name, each looked at by itself."""
    for each in every:
        if each.name > after and wanted.fits(partial(getattr, each)):
            yield (each,)
            most -= 1
        else:
            yield ()
        if not most:
            return
