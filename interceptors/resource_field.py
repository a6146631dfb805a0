"""The field of a request that says which resource of a family the call is about."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any, Final, NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.resource_template import ResourceTemplate
from caracal_grpc.core.rule import Rule

_log: Final = logging.getLogger(__name__)

EACH: Final = object()
"""Stands for the requests of a stream where one request would."""

_READABLE: Final = frozenset(
    {
        FieldDescriptor.TYPE_STRING,
        FieldDescriptor.TYPE_INT32,
        FieldDescriptor.TYPE_INT64,
        FieldDescriptor.TYPE_UINT32,
        FieldDescriptor.TYPE_UINT64,
        FieldDescriptor.TYPE_SINT32,
        FieldDescriptor.TYPE_SINT64,
        FieldDescriptor.TYPE_FIXED32,
        FieldDescriptor.TYPE_FIXED64,
        FieldDescriptor.TYPE_SFIXED32,
        FieldDescriptor.TYPE_SFIXED64,
    }
)


class PathVariables(dict[str, str]):
    """The variables of a path by name, in place of a request that has its resource there."""


class _Step(NamedTuple):
    """A field on the way, and whether a message tells when it is not set."""

    name: str
    has_presence: bool


def resource_of(rule: Rule, request: object) -> str:
    """The resource that `request` is about by the template of `rule`, or that of a plain rule.

    `request` is a message, or the variables of a path. Raises `FIELD_INVALID` naming the field when
    it holds, or lacks, what cannot name one, and `METHOD_NOT_DECLARED` for a request that does not
    have such a field at all.
    """
    template = rule.template
    if template is None:
        return rule.resource
    if isinstance(request, PathVariables) and template.dotted in request:
        return template.resource(request[template.dotted])
    if not isinstance(request, Message):
        raise _unreadable(rule, template, "is in requests that are no protobuf messages")
    steps, fault = _way(template, request.DESCRIPTOR)
    if fault:
        raise _unreadable(rule, template, fault)
    value: Any = request
    for name, has_presence in steps:
        if has_presence and not value.HasField(name):
            raise field_invalid(template.dotted, "must be set; it names the resource of the call")
        value = getattr(value, name)
    return template.resource(value)


def require_field(rule: Rule, requests: Descriptor) -> None:
    """Raises `FIELD_INVALID` when the `requests` of a method lack the field that `rule` names."""
    if rule.template is not None:
        fault = _way(rule.template, requests).fault
        if fault:
            raise field_invalid(f"{rule.method}.resource", fault)


class _Way(NamedTuple):
    """How to get to a field, or what is wrong with the path to it."""

    steps: tuple[_Step, ...]
    fault: str = ""


@lru_cache(maxsize=1024)
def _way(template: ResourceTemplate, requests: Descriptor) -> _Way:
    """The way to the field of `template` in messages of one type, worked out once."""
    steps, last = [], len(template.path)
    at: Any = requests
    for depth, name in enumerate(template.path, 1):
        field = at.fields_by_name.get(name)
        fault = _fault(at, name, field, depth == last)
        if fault:
            return _Way((), fault)
        steps.append(_Step(name, field.has_presence))
        at = field.message_type
    return _Way(tuple(steps))


def _fault(at: Descriptor, name: str, field: Any, is_last: bool) -> str:
    """What is wrong with a field of `at` on the way, or at its end; empty when nothing is."""
    if field is None:
        return f"takes a field {name} that {at.full_name} does not have; correct its name"
    if field.is_repeated:
        return f"takes {field.full_name}, which is repeated; take a field with one value"
    if is_last and field.type not in _READABLE:
        return f"takes {field.full_name}, which is neither a string nor an integer; take one"
    if not is_last and field.message_type is None:
        return f"looks into {field.full_name}, which is no message; take a field of a message"
    return ""


def _unreadable(rule: Rule, template: ResourceTemplate, fault: str) -> CaracalError:
    _log.error("%s counts as not declared, its resource %s", rule.method, fault)
    return CaracalError(
        Reason.METHOD_NOT_DECLARED,
        f"the method's resource is in {template.dotted}, a string or integer that its requests "
        "do not have; correct the rule",
        metadata={"method": rule.method},
    )
