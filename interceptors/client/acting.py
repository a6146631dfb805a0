"""The resource that streams are opened for: it must be known before their first request is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.ids import family_of, require_resource
from caracal_grpc.core.rule import Rule
from caracal_grpc.interceptors.resource_field import EACH, resource_of

_ACTING: Final[ContextVar[str | None]] = ContextVar("caracal_acting_on", default=None)


@contextmanager
def acting_on(resource: str) -> Iterator[None]:
    """Opens streams for one `resource` of a family, such as `resource://orders/o-17`.

    It is for methods whose rule takes the resource from a field of the request and which take a
    stream of them: a mandate goes before the first. The call must be made within; its requests may
    follow later, and all must be about that resource. A single request says by itself what it is
    about, whatever is said here. Raises `FIELD_INVALID` for what is no resource.

        with acting_on("resource://orders/o-17"):
            call = orders.Follow(requests)
    """
    mark = _ACTING.set(require_resource("acting_on", resource))
    try:
        yield
    finally:
        _ACTING.reset(mark)


def asked_resource(rule: Rule, request: object) -> str:
    """The resource that a call of the method of `rule` needs a mandate for; ask before any await.

    Raises `FIELD_INVALID` for a request that names none, and for a stream of them (`EACH`) when
    nobody said what it acts on, and all that `resource_of` raises.
    """
    if rule.template is None or request is not EACH:
        return resource_of(rule, request)
    resource, family = _ACTING.get(), rule.template.family
    if resource is None:
        raise _untold(f"each request of {rule.method} names its resource", family)
    if family_of(resource) != family:
        raise _untold(f"{rule.method} is about others", family)
    return resource


def _untold(why: str, family: str) -> CaracalError:
    return field_invalid(
        "acting_on", f"{why}; make the call within acting_on(...) with the one of {family}"
    )
