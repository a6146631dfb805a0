"""A proto whose requests have fields of every kind, for rules that take a resource from one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from caracal_grpc.v1 import authority_pb2

PACKAGE = "orders.test"
PLACE = f"/{PACKAGE}.Orders/Place"
INTEGERS = (
    "int32 int64 uint32 uint64 sint32 sint64 fixed32 fixed64 sfixed32 sfixed64".split()  # noqa: SIM905
)
_KINDS = {name: getattr(FieldDescriptorProto, f"TYPE_{name.upper()}") for name in INTEGERS}
_KINDS |= {
    "order_id": FieldDescriptorProto.TYPE_STRING,
    "raw": FieldDescriptorProto.TYPE_BYTES,
    "flag": FieldDescriptorProto.TYPE_BOOL,
    "weight": FieldDescriptorProto.TYPE_DOUBLE,
}


def orders_proto(rule: Mapping[str, Any] | None, resource: str) -> FileDescriptorProto:
    """The proto of a service with one method and its rule."""
    file = FileDescriptorProto(name="orders.proto", package=PACKAGE, syntax="proto3")
    request = file.message_type.add(name="Request")
    for number, (name, kind) in enumerate(_KINDS.items(), 1):
        request.field.add(name=name, number=number, type=kind, label=1)
    request.field.add(name="ids", number=50, type=9, label=3)
    maybe = request.field.add(name="maybe", number=51, type=5, label=1, proto3_optional=True)
    request.oneof_decl.add(name="_maybe")
    maybe.oneof_index = 0
    order = file.message_type.add(name="Order")
    order.field.add(name="id", number=1, type=9, label=1)
    order.field.add(name="number", number=2, type=5, label=1)
    order.field.add(name="inner", number=3, type=11, label=1, type_name=f".{PACKAGE}.Order")
    request.field.add(name="order", number=52, type=11, label=1, type_name=f".{PACKAGE}.Order")
    request.field.add(name="many", number=53, type=11, label=3, type_name=f".{PACKAGE}.Order")
    service = file.service.add(name="Orders")
    service.options.Extensions[authority_pb2.resource] = resource
    name = f".{PACKAGE}.Request"
    method = service.method.add(name="Place", input_type=name, output_type=name)
    if rule is not None:
        declared = authority_pb2.AuthorityRule(**rule)
        method.options.Extensions[authority_pb2.authority].CopyFrom(declared)
    return file


def orders(
    rule: Mapping[str, Any] | None = None, resource: str = "resource://orders"
) -> ServiceDescriptor:
    """The service of such a proto, in a pool of its own."""
    pool = DescriptorPool()
    pool.Add(orders_proto(rule, resource))
    return pool.FindServiceByName(f"{PACKAGE}.Orders")


def request(**fields: Any) -> Message:
    """A request with `fields`, of a pool of its own."""
    made: Message = GetMessageClass(orders().methods[0].input_type)(**fields)
    return made
