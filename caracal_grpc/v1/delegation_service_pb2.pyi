from caracal_grpc.v1 import application_pb2 as _application_pb2
from caracal_grpc.v1 import authority_pb2 as _authority_pb2
from caracal_grpc.v1 import delegation_pb2 as _delegation_pb2
from caracal_grpc.v1 import revocation_pb2 as _revocation_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DelegateRequest(_message.Message):
    __slots__ = ("zone", "session_id", "receiver", "ceiling", "ttl", "max_hops")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIVER_FIELD_NUMBER: _ClassVar[int]
    CEILING_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    MAX_HOPS_FIELD_NUMBER: _ClassVar[int]
    zone: str
    session_id: str
    receiver: str
    ceiling: _containers.RepeatedCompositeFieldContainer[_application_pb2.Ceiling]
    ttl: _duration_pb2.Duration
    max_hops: int
    def __init__(self, zone: _Optional[str] = ..., session_id: _Optional[str] = ..., receiver: _Optional[str] = ..., ceiling: _Optional[_Iterable[_Union[_application_pb2.Ceiling, _Mapping]]] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., max_hops: _Optional[int] = ...) -> None: ...

class DelegateResponse(_message.Message):
    __slots__ = ("delegation", "revision", "audit_id")
    DELEGATION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    delegation: _delegation_pb2.Delegation
    revision: int
    audit_id: str
    def __init__(self, delegation: _Optional[_Union[_delegation_pb2.Delegation, _Mapping]] = ..., revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class DelegationServiceGetRequest(_message.Message):
    __slots__ = ("zone", "id")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    zone: str
    id: str
    def __init__(self, zone: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class DelegationServiceGetResponse(_message.Message):
    __slots__ = ("delegation",)
    DELEGATION_FIELD_NUMBER: _ClassVar[int]
    delegation: _delegation_pb2.Delegation
    def __init__(self, delegation: _Optional[_Union[_delegation_pb2.Delegation, _Mapping]] = ...) -> None: ...

class DelegationServiceListRequest(_message.Message):
    __slots__ = ("zone", "application_id", "page_size", "page_token")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    zone: str
    application_id: str
    page_size: int
    page_token: str
    def __init__(self, zone: _Optional[str] = ..., application_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class DelegationServiceListResponse(_message.Message):
    __slots__ = ("delegations", "next_page_token")
    DELEGATIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    delegations: _containers.RepeatedCompositeFieldContainer[_delegation_pb2.Delegation]
    next_page_token: str
    def __init__(self, delegations: _Optional[_Iterable[_Union[_delegation_pb2.Delegation, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DelegationServiceRevokeRequest(_message.Message):
    __slots__ = ("zone", "id", "reason")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    zone: str
    id: str
    reason: str
    def __init__(self, zone: _Optional[str] = ..., id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class DelegationServiceRevokeResponse(_message.Message):
    __slots__ = ("delegation", "revision", "audit_id")
    DELEGATION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    delegation: _delegation_pb2.Delegation
    revision: int
    audit_id: str
    def __init__(self, delegation: _Optional[_Union[_delegation_pb2.Delegation, _Mapping]] = ..., revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class DelegationServiceImpactRequest(_message.Message):
    __slots__ = ("zone", "id", "page_size", "page_token")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    zone: str
    id: str
    page_size: int
    page_token: str
    def __init__(self, zone: _Optional[str] = ..., id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class DelegationServiceImpactResponse(_message.Message):
    __slots__ = ("fallen", "next_page_token", "count")
    FALLEN_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    fallen: _containers.RepeatedCompositeFieldContainer[_revocation_pb2.Fallen]
    next_page_token: str
    count: int
    def __init__(self, fallen: _Optional[_Iterable[_Union[_revocation_pb2.Fallen, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...
