from caracal_grpc.v1 import authority_pb2 as _authority_pb2
from caracal_grpc.v1 import resource_pb2 as _resource_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ResourceServiceGetRequest(_message.Message):
    __slots__ = ("zone", "resource")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    zone: str
    resource: str
    def __init__(self, zone: _Optional[str] = ..., resource: _Optional[str] = ...) -> None: ...

class ResourceServiceGetResponse(_message.Message):
    __slots__ = ("resource",)
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    resource: _resource_pb2.Resource
    def __init__(self, resource: _Optional[_Union[_resource_pb2.Resource, _Mapping]] = ...) -> None: ...

class ResourceServiceListRequest(_message.Message):
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

class ResourceServiceListResponse(_message.Message):
    __slots__ = ("resources", "next_page_token")
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    resources: _containers.RepeatedCompositeFieldContainer[_resource_pb2.Resource]
    next_page_token: str
    def __init__(self, resources: _Optional[_Iterable[_Union[_resource_pb2.Resource, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ResourceServiceCreateRequest(_message.Message):
    __slots__ = ("zone", "resource")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    zone: str
    resource: _resource_pb2.Resource
    def __init__(self, zone: _Optional[str] = ..., resource: _Optional[_Union[_resource_pb2.Resource, _Mapping]] = ...) -> None: ...

class ResourceServiceCreateResponse(_message.Message):
    __slots__ = ("resource", "revision", "audit_id")
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    resource: _resource_pb2.Resource
    revision: int
    audit_id: str
    def __init__(self, resource: _Optional[_Union[_resource_pb2.Resource, _Mapping]] = ..., revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class ResourceServiceUpdateRequest(_message.Message):
    __slots__ = ("zone", "resource", "update_mask")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    zone: str
    resource: _resource_pb2.Resource
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, zone: _Optional[str] = ..., resource: _Optional[_Union[_resource_pb2.Resource, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class ResourceServiceUpdateResponse(_message.Message):
    __slots__ = ("resource", "revision", "audit_id")
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    resource: _resource_pb2.Resource
    revision: int
    audit_id: str
    def __init__(self, resource: _Optional[_Union[_resource_pb2.Resource, _Mapping]] = ..., revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class ResourceServiceDeleteRequest(_message.Message):
    __slots__ = ("zone", "resource", "etag")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    zone: str
    resource: str
    etag: str
    def __init__(self, zone: _Optional[str] = ..., resource: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class ResourceServiceDeleteResponse(_message.Message):
    __slots__ = ("revision", "audit_id")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    revision: int
    audit_id: str
    def __init__(self, revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...
