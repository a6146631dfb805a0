"""Protos that are written in code, with the options that a method declares its authority by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

from caracal_grpc.v1 import authority_pb2

Declared = Mapping[str, Mapping[str, Any] | None]
"""The methods of a service: the fields of the rule of each, `None` for one without."""

FAULTY: Declared = {
    "Charge": {"scopes": ["books:charge"]},
    "Forgotten": None,
    "Half": {},
    "Open": {"public": True},
    "Read": {"scopes": ["books:read"]},
}
"""A method of each kind that is wrong, and a sound one, in a zone with the scope `books:read`."""


def proto(
    package: str,
    methods: Declared,
    *,
    resource: str = "resource://books",
    imports: tuple[str, ...] = (),
) -> FileDescriptorProto:
    """The proto `<package>.proto` with a service, `Books`, whose last method streams its answer."""
    file = FileDescriptorProto(name=f"{package}.proto", package=package, dependency=imports)
    file.message_type.add(name="Note")
    service = file.service.add(name="Books")
    service.options.Extensions[authority_pb2.resource] = resource
    note = f".{package}.Note"
    for name, rule in methods.items():
        method = service.method.add(name=name, input_type=note, output_type=note)
        if rule is not None:
            declared = authority_pb2.AuthorityRule(**rule)
            method.options.Extensions[authority_pb2.authority].CopyFrom(declared)
            method.options.Extensions[authority_pb2.authority].SetInParent()
    service.method[-1].server_streaming = True
    return file


def books(methods: Declared, *, resource: str = "resource://books") -> ServiceDescriptor:
    """The service of such a proto, in a pool of its own."""
    pool = DescriptorPool()
    pool.Add(proto("test.books", methods, resource=resource))
    return pool.FindServiceByName("test.books.Books")
