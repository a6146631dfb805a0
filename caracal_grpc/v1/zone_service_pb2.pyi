from caracal_grpc.v1 import application_pb2 as _application_pb2
from caracal_grpc.v1 import authority_pb2 as _authority_pb2
from caracal_grpc.v1 import zone_pb2 as _zone_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ZoneServiceApplyRequest(_message.Message):
    __slots__ = ("zone", "dry_run", "expected_revision", "prune")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    PRUNE_FIELD_NUMBER: _ClassVar[int]
    zone: _zone_pb2.Zone
    dry_run: bool
    expected_revision: int
    prune: bool
    def __init__(self, zone: _Optional[_Union[_zone_pb2.Zone, _Mapping]] = ..., dry_run: bool = ..., expected_revision: _Optional[int] = ..., prune: bool = ...) -> None: ...

class ZoneServiceApplyResponse(_message.Message):
    __slots__ = ("changes", "credentials", "revision", "audit_id", "issuer", "policy_version", "undeclared")
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    CREDENTIALS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    UNDECLARED_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[_zone_pb2.Change]
    credentials: _containers.RepeatedCompositeFieldContainer[_application_pb2.Credential]
    revision: int
    audit_id: str
    issuer: str
    policy_version: str
    undeclared: _containers.RepeatedCompositeFieldContainer[_zone_pb2.Change]
    def __init__(self, changes: _Optional[_Iterable[_Union[_zone_pb2.Change, _Mapping]]] = ..., credentials: _Optional[_Iterable[_Union[_application_pb2.Credential, _Mapping]]] = ..., revision: _Optional[int] = ..., audit_id: _Optional[str] = ..., issuer: _Optional[str] = ..., policy_version: _Optional[str] = ..., undeclared: _Optional[_Iterable[_Union[_zone_pb2.Change, _Mapping]]] = ...) -> None: ...

class ZoneServiceGetRequest(_message.Message):
    __slots__ = ("zone",)
    ZONE_FIELD_NUMBER: _ClassVar[int]
    zone: str
    def __init__(self, zone: _Optional[str] = ...) -> None: ...

class ZoneServiceGetResponse(_message.Message):
    __slots__ = ("zone", "revision")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    zone: _zone_pb2.Zone
    revision: int
    def __init__(self, zone: _Optional[_Union[_zone_pb2.Zone, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class ZoneServiceListRequest(_message.Message):
    __slots__ = ("filter", "page_size", "page_token")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    filter: str
    page_size: int
    page_token: str
    def __init__(self, filter: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ZoneServiceListResponse(_message.Message):
    __slots__ = ("zones", "next_page_token")
    ZONES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    zones: _containers.RepeatedCompositeFieldContainer[_zone_pb2.Zone]
    next_page_token: str
    def __init__(self, zones: _Optional[_Iterable[_Union[_zone_pb2.Zone, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ZoneServiceCreateRequest(_message.Message):
    __slots__ = ("zone",)
    ZONE_FIELD_NUMBER: _ClassVar[int]
    zone: _zone_pb2.Zone
    def __init__(self, zone: _Optional[_Union[_zone_pb2.Zone, _Mapping]] = ...) -> None: ...

class ZoneServiceCreateResponse(_message.Message):
    __slots__ = ("zone", "revision", "audit_id")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    zone: _zone_pb2.Zone
    revision: int
    audit_id: str
    def __init__(self, zone: _Optional[_Union[_zone_pb2.Zone, _Mapping]] = ..., revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class ZoneServiceUpdateRequest(_message.Message):
    __slots__ = ("zone", "update_mask")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    zone: _zone_pb2.Zone
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, zone: _Optional[_Union[_zone_pb2.Zone, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class ZoneServiceUpdateResponse(_message.Message):
    __slots__ = ("zone", "revision", "audit_id")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    zone: _zone_pb2.Zone
    revision: int
    audit_id: str
    def __init__(self, zone: _Optional[_Union[_zone_pb2.Zone, _Mapping]] = ..., revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class ZoneServiceDeleteRequest(_message.Message):
    __slots__ = ("zone", "etag")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    zone: str
    etag: str
    def __init__(self, zone: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class ZoneServiceDeleteResponse(_message.Message):
    __slots__ = ("revision", "audit_id")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    revision: int
    audit_id: str
    def __init__(self, revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class ZoneServiceFreezeRequest(_message.Message):
    __slots__ = ("zone", "reason")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    zone: str
    reason: str
    def __init__(self, zone: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ZoneServiceFreezeResponse(_message.Message):
    __slots__ = ("revision", "audit_id")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    revision: int
    audit_id: str
    def __init__(self, revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class ZoneServiceUnfreezeRequest(_message.Message):
    __slots__ = ("zone", "reason")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    zone: str
    reason: str
    def __init__(self, zone: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ZoneServiceUnfreezeResponse(_message.Message):
    __slots__ = ("revision", "audit_id")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    revision: int
    audit_id: str
    def __init__(self, revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...
