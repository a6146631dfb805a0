from caracal_grpc.v1 import authority_pb2 as _authority_pb2
from caracal_grpc.v1 import upstream_pb2 as _upstream_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class UpstreamServiceGetRequest(_message.Message):
    __slots__ = ("zone", "upstream")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_FIELD_NUMBER: _ClassVar[int]
    zone: str
    upstream: str
    def __init__(self, zone: _Optional[str] = ..., upstream: _Optional[str] = ...) -> None: ...

class UpstreamServiceGetResponse(_message.Message):
    __slots__ = ("upstream",)
    UPSTREAM_FIELD_NUMBER: _ClassVar[int]
    upstream: _upstream_pb2.UpstreamCredential
    def __init__(self, upstream: _Optional[_Union[_upstream_pb2.UpstreamCredential, _Mapping]] = ...) -> None: ...

class UpstreamServiceListRequest(_message.Message):
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

class UpstreamServiceListResponse(_message.Message):
    __slots__ = ("upstreams", "next_page_token")
    UPSTREAMS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    upstreams: _containers.RepeatedCompositeFieldContainer[_upstream_pb2.UpstreamCredential]
    next_page_token: str
    def __init__(self, upstreams: _Optional[_Iterable[_Union[_upstream_pb2.UpstreamCredential, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpstreamServiceCreateRequest(_message.Message):
    __slots__ = ("zone", "upstream")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_FIELD_NUMBER: _ClassVar[int]
    zone: str
    upstream: _upstream_pb2.UpstreamCredential
    def __init__(self, zone: _Optional[str] = ..., upstream: _Optional[_Union[_upstream_pb2.UpstreamCredential, _Mapping]] = ...) -> None: ...

class UpstreamServiceCreateResponse(_message.Message):
    __slots__ = ("upstream", "revision", "audit_id")
    UPSTREAM_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    upstream: _upstream_pb2.UpstreamCredential
    revision: int
    audit_id: str
    def __init__(self, upstream: _Optional[_Union[_upstream_pb2.UpstreamCredential, _Mapping]] = ..., revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class UpstreamServiceUpdateRequest(_message.Message):
    __slots__ = ("zone", "upstream", "update_mask")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    zone: str
    upstream: _upstream_pb2.UpstreamCredential
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, zone: _Optional[str] = ..., upstream: _Optional[_Union[_upstream_pb2.UpstreamCredential, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpstreamServiceUpdateResponse(_message.Message):
    __slots__ = ("upstream", "revision", "audit_id")
    UPSTREAM_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    upstream: _upstream_pb2.UpstreamCredential
    revision: int
    audit_id: str
    def __init__(self, upstream: _Optional[_Union[_upstream_pb2.UpstreamCredential, _Mapping]] = ..., revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class UpstreamServiceDeleteRequest(_message.Message):
    __slots__ = ("zone", "upstream", "etag")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    zone: str
    upstream: str
    etag: str
    def __init__(self, zone: _Optional[str] = ..., upstream: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class UpstreamServiceDeleteResponse(_message.Message):
    __slots__ = ("revision", "audit_id")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    revision: int
    audit_id: str
    def __init__(self, revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class UpstreamServiceReleaseRequest(_message.Message):
    __slots__ = ("zone", "upstream", "mandate")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_FIELD_NUMBER: _ClassVar[int]
    MANDATE_FIELD_NUMBER: _ClassVar[int]
    zone: str
    upstream: str
    mandate: str
    def __init__(self, zone: _Optional[str] = ..., upstream: _Optional[str] = ..., mandate: _Optional[str] = ...) -> None: ...

class ReleasedHeader(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class UpstreamServiceReleaseResponse(_message.Message):
    __slots__ = ("header", "expire_time", "audit_id")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    header: ReleasedHeader
    expire_time: _timestamp_pb2.Timestamp
    audit_id: str
    def __init__(self, header: _Optional[_Union[ReleasedHeader, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., audit_id: _Optional[str] = ...) -> None: ...
