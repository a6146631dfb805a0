"""The standard methods, once for all kinds: from requests to the authority and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from caracal_grpc.authority.zones.edits import Changed, Edits
from caracal_grpc.authority.zones.kinds import Kind, T, W
from caracal_grpc.authority.zones.objects import Found, Objects, Query
from caracal_grpc.core.limits import DEFAULT_PAGE, MAX_PAGE
from caracal_grpc.interceptors.context.current import current_mandate
from caracal_grpc.services import render
from caracal_grpc.services.masks import merged

M = TypeVar("M", bound=Message)
Response = TypeVar("Response", bound=Message)


@dataclass(frozen=True, slots=True)
class Wire(Generic[T, W, M]):
    """How one kind is on the wire: the fields `one` and `many` of requests and answers.

    `leaves` are the fields that an update can change. `parse` takes the field's path and a message,
    and raises `FIELD_INVALID`; `render` takes an object and its etag.
    """

    kind: Kind[T, W]
    one: str
    many: str
    leaves: tuple[str, ...]
    parse: Callable[[str, M], W]
    render: Callable[[T, str], M]


class Standard(Generic[T, W, M]):
    """Get, list, create, update and delete one kind. Each takes the request and the answer's type;
    they have the fields that the protos give all kinds alike.
    """

    def __init__(self, wire: Wire[T, W, M], objects: Objects, edits: Edits) -> None:
        self._wire = wire
        self._objects = objects
        self._edits = edits

    async def get(self, request: Any, answer: Callable[..., Response]) -> Response:
        """One."""
        wire, zone = self._wire, render.zone_name(request.zone)
        name = getattr(request, wire.one)
        found = self._objects.get(current_mandate(), zone, wire.kind, name)
        return answer(**{wire.one: self._message(found)})

    async def list(self, request: Any, answer: Callable[..., Response]) -> Response:
        """One page."""
        wire, zone = self._wire, render.zone_name(request.zone)
        page = await self._objects.list(current_mandate(), zone, wire.kind, query(request))
        found = [self._message(each) for each in page.items]
        return answer(**{wire.many: found, "next_page_token": page.next_token})

    async def create(
        self, request: Any, answer: Callable[..., Response]
    ) -> tuple[Response, Changed[T]]:
        """Makes one; the answer without what only some kinds answer with."""
        wire, zone = self._wire, render.zone_name(request.zone)
        wanted = wire.parse(wire.one, getattr(request, wire.one))
        made = await self._edits.create(current_mandate(), zone, wire.kind, wanted)
        return self._answer(made, answer), made

    async def update(self, request: Any, answer: Callable[..., Response]) -> Response:
        """Changes one."""
        wire, zone = self._wire, render.zone_name(request.zone)
        sent = getattr(request, wire.one)

        def change(present: T) -> W:
            message = merged(wire.render(present, ""), sent, request.update_mask, wire.leaves)
            return wire.parse(wire.one, message)

        changed = await self._edits.update(
            current_mandate(), zone, wire.kind, sent.name, sent.etag, change
        )
        return self._answer(changed, answer)

    async def delete(self, request: Any, answer: Callable[..., Response]) -> Response:
        """Removes one."""
        wire, zone = self._wire, render.zone_name(request.zone)
        name = getattr(request, wire.one)
        gone = await self._edits.delete(current_mandate(), zone, wire.kind, name, request.etag)
        return answer(revision=gone.revision, audit_id=gone.audit_id)

    def _answer(self, changed: Changed[T], answer: Callable[..., Response]) -> Response:
        edited = changed.edited
        shown = {self._wire.one: self._message(changed.found)}
        return answer(**shown, revision=edited.revision, audit_id=edited.audit_id)

    def _message(self, found: Found[T]) -> M:
        return self._wire.render(found.value, found.etag)


def query(request: Any) -> Query:
    """What a list asks for; raises `FIELD_INVALID`."""
    size = render.page("page_size", request.page_size, DEFAULT_PAGE, MAX_PAGE)
    return Query(getattr(request, "filter", ""), size, request.page_token)
