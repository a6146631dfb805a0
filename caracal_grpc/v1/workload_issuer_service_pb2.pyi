from caracal_grpc.v1 import authority_pb2 as _authority_pb2
from caracal_grpc.v1 import zone_pb2 as _zone_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WorkloadIssuerServiceGetRequest(_message.Message):
    __slots__ = ("zone", "workload_issuer")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    WORKLOAD_ISSUER_FIELD_NUMBER: _ClassVar[int]
    zone: str
    workload_issuer: str
    def __init__(self, zone: _Optional[str] = ..., workload_issuer: _Optional[str] = ...) -> None: ...

class WorkloadIssuerServiceGetResponse(_message.Message):
    __slots__ = ("workload_issuer",)
    WORKLOAD_ISSUER_FIELD_NUMBER: _ClassVar[int]
    workload_issuer: _zone_pb2.Issuer
    def __init__(self, workload_issuer: _Optional[_Union[_zone_pb2.Issuer, _Mapping]] = ...) -> None: ...

class WorkloadIssuerServiceListRequest(_message.Message):
    __slots__ = ("zone", "filter", "page_size", "page_token")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    zone: str
    filter: str
    page_size: int
    page_token: str
    def __init__(self, zone: _Optional[str] = ..., filter: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class WorkloadIssuerServiceListResponse(_message.Message):
    __slots__ = ("workload_issuers", "next_page_token")
    WORKLOAD_ISSUERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    workload_issuers: _containers.RepeatedCompositeFieldContainer[_zone_pb2.Issuer]
    next_page_token: str
    def __init__(self, workload_issuers: _Optional[_Iterable[_Union[_zone_pb2.Issuer, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WorkloadIssuerServiceCreateRequest(_message.Message):
    __slots__ = ("zone", "workload_issuer")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    WORKLOAD_ISSUER_FIELD_NUMBER: _ClassVar[int]
    zone: str
    workload_issuer: _zone_pb2.Issuer
    def __init__(self, zone: _Optional[str] = ..., workload_issuer: _Optional[_Union[_zone_pb2.Issuer, _Mapping]] = ...) -> None: ...

class WorkloadIssuerServiceCreateResponse(_message.Message):
    __slots__ = ("workload_issuer", "revision", "audit_id")
    WORKLOAD_ISSUER_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    workload_issuer: _zone_pb2.Issuer
    revision: int
    audit_id: str
    def __init__(self, workload_issuer: _Optional[_Union[_zone_pb2.Issuer, _Mapping]] = ..., revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class WorkloadIssuerServiceUpdateRequest(_message.Message):
    __slots__ = ("zone", "workload_issuer", "update_mask")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    WORKLOAD_ISSUER_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    zone: str
    workload_issuer: _zone_pb2.Issuer
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, zone: _Optional[str] = ..., workload_issuer: _Optional[_Union[_zone_pb2.Issuer, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class WorkloadIssuerServiceUpdateResponse(_message.Message):
    __slots__ = ("workload_issuer", "revision", "audit_id")
    WORKLOAD_ISSUER_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    workload_issuer: _zone_pb2.Issuer
    revision: int
    audit_id: str
    def __init__(self, workload_issuer: _Optional[_Union[_zone_pb2.Issuer, _Mapping]] = ..., revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class WorkloadIssuerServiceDeleteRequest(_message.Message):
    __slots__ = ("zone", "workload_issuer", "etag")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    WORKLOAD_ISSUER_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    zone: str
    workload_issuer: str
    etag: str
    def __init__(self, zone: _Optional[str] = ..., workload_issuer: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class WorkloadIssuerServiceDeleteResponse(_message.Message):
    __slots__ = ("revision", "audit_id")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    revision: int
    audit_id: str
    def __init__(self, revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...
