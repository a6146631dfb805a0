from caracal_grpc.v1 import application_pb2 as _application_pb2
from caracal_grpc.v1 import authority_pb2 as _authority_pb2
from caracal_grpc.v1 import session_pb2 as _session_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SessionServiceStartRequest(_message.Message):
    __slots__ = ("zone", "parent_id", "labels", "ceiling", "ttl", "kind", "lease", "id_token")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    PARENT_ID_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    CEILING_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    ID_TOKEN_FIELD_NUMBER: _ClassVar[int]
    zone: str
    parent_id: str
    labels: _containers.RepeatedScalarFieldContainer[str]
    ceiling: _containers.RepeatedCompositeFieldContainer[_application_pb2.Ceiling]
    ttl: _duration_pb2.Duration
    kind: _session_pb2.SessionKind
    lease: _duration_pb2.Duration
    id_token: str
    def __init__(self, zone: _Optional[str] = ..., parent_id: _Optional[str] = ..., labels: _Optional[_Iterable[str]] = ..., ceiling: _Optional[_Iterable[_Union[_application_pb2.Ceiling, _Mapping]]] = ..., ttl: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., kind: _Optional[_Union[_session_pb2.SessionKind, str]] = ..., lease: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., id_token: _Optional[str] = ...) -> None: ...

class SessionServiceStartResponse(_message.Message):
    __slots__ = ("session", "revision", "audit_id")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    session: _session_pb2.Session
    revision: int
    audit_id: str
    def __init__(self, session: _Optional[_Union[_session_pb2.Session, _Mapping]] = ..., revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class SessionServiceGetRequest(_message.Message):
    __slots__ = ("zone", "id")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    zone: str
    id: str
    def __init__(self, zone: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class SessionServiceGetResponse(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: _session_pb2.Session
    def __init__(self, session: _Optional[_Union[_session_pb2.Session, _Mapping]] = ...) -> None: ...

class SessionServiceListRequest(_message.Message):
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

class SessionServiceListResponse(_message.Message):
    __slots__ = ("sessions", "next_page_token")
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    sessions: _containers.RepeatedCompositeFieldContainer[_session_pb2.Session]
    next_page_token: str
    def __init__(self, sessions: _Optional[_Iterable[_Union[_session_pb2.Session, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class SessionServiceTerminateRequest(_message.Message):
    __slots__ = ("zone", "id", "reason")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    zone: str
    id: str
    reason: str
    def __init__(self, zone: _Optional[str] = ..., id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class SessionServiceTerminateResponse(_message.Message):
    __slots__ = ("session", "revision", "audit_id")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    session: _session_pb2.Session
    revision: int
    audit_id: str
    def __init__(self, session: _Optional[_Union[_session_pb2.Session, _Mapping]] = ..., revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class SessionServiceHeartbeatRequest(_message.Message):
    __slots__ = ("zone", "id", "generation")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    zone: str
    id: str
    generation: int
    def __init__(self, zone: _Optional[str] = ..., id: _Optional[str] = ..., generation: _Optional[int] = ...) -> None: ...

class SessionServiceHeartbeatResponse(_message.Message):
    __slots__ = ("lease",)
    LEASE_FIELD_NUMBER: _ClassVar[int]
    lease: _session_pb2.Lease
    def __init__(self, lease: _Optional[_Union[_session_pb2.Lease, _Mapping]] = ...) -> None: ...

class SessionServiceTakeOverRequest(_message.Message):
    __slots__ = ("zone", "id")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    zone: str
    id: str
    def __init__(self, zone: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class SessionServiceTakeOverResponse(_message.Message):
    __slots__ = ("session", "revision", "audit_id")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    session: _session_pb2.Session
    revision: int
    audit_id: str
    def __init__(self, session: _Optional[_Union[_session_pb2.Session, _Mapping]] = ..., revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class SessionServiceSuspendRequest(_message.Message):
    __slots__ = ("zone", "id", "reason")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    zone: str
    id: str
    reason: str
    def __init__(self, zone: _Optional[str] = ..., id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class SessionServiceSuspendResponse(_message.Message):
    __slots__ = ("session", "revision", "audit_id")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    session: _session_pb2.Session
    revision: int
    audit_id: str
    def __init__(self, session: _Optional[_Union[_session_pb2.Session, _Mapping]] = ..., revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...

class SessionServiceResumeRequest(_message.Message):
    __slots__ = ("zone", "id", "reason")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    zone: str
    id: str
    reason: str
    def __init__(self, zone: _Optional[str] = ..., id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class SessionServiceResumeResponse(_message.Message):
    __slots__ = ("session", "revision", "audit_id")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    session: _session_pb2.Session
    revision: int
    audit_id: str
    def __init__(self, session: _Optional[_Union[_session_pb2.Session, _Mapping]] = ..., revision: _Optional[int] = ..., audit_id: _Optional[str] = ...) -> None: ...
