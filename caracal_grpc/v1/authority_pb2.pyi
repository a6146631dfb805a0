from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor
AUTHORITY_FIELD_NUMBER: _ClassVar[int]
authority: _descriptor.FieldDescriptor
RESOURCE_FIELD_NUMBER: _ClassVar[int]
resource: _descriptor.FieldDescriptor

class AuthorityRule(_message.Message):
    __slots__ = ("scopes", "public", "public_reason", "any_scopes", "require_delegation", "max_hops", "chain_must_include", "bound", "single_use", "resource")
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_REASON_FIELD_NUMBER: _ClassVar[int]
    ANY_SCOPES_FIELD_NUMBER: _ClassVar[int]
    REQUIRE_DELEGATION_FIELD_NUMBER: _ClassVar[int]
    MAX_HOPS_FIELD_NUMBER: _ClassVar[int]
    CHAIN_MUST_INCLUDE_FIELD_NUMBER: _ClassVar[int]
    BOUND_FIELD_NUMBER: _ClassVar[int]
    SINGLE_USE_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    scopes: _containers.RepeatedScalarFieldContainer[str]
    public: bool
    public_reason: str
    any_scopes: _containers.RepeatedScalarFieldContainer[str]
    require_delegation: bool
    max_hops: int
    chain_must_include: _containers.RepeatedScalarFieldContainer[str]
    bound: bool
    single_use: bool
    resource: str
    def __init__(self, scopes: _Optional[_Iterable[str]] = ..., public: bool = ..., public_reason: _Optional[str] = ..., any_scopes: _Optional[_Iterable[str]] = ..., require_delegation: bool = ..., max_hops: _Optional[int] = ..., chain_must_include: _Optional[_Iterable[str]] = ..., bound: bool = ..., single_use: bool = ..., resource: _Optional[str] = ...) -> None: ...
