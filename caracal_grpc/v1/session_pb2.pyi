from caracal_grpc.v1 import application_pb2 as _application_pb2
from caracal_grpc.v1 import mandate_pb2 as _mandate_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SessionState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SESSION_STATE_UNSPECIFIED: _ClassVar[SessionState]
    SESSION_STATE_ACTIVE: _ClassVar[SessionState]
    SESSION_STATE_TERMINATED: _ClassVar[SessionState]
    SESSION_STATE_EXPIRED: _ClassVar[SessionState]
    SESSION_STATE_SUSPENDED: _ClassVar[SessionState]
    SESSION_STATE_LAPSED: _ClassVar[SessionState]

class SessionKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SESSION_KIND_UNSPECIFIED: _ClassVar[SessionKind]
    SESSION_KIND_STANDING: _ClassVar[SessionKind]
    SESSION_KIND_TASK: _ClassVar[SessionKind]
    SESSION_KIND_SERVICE: _ClassVar[SessionKind]
SESSION_STATE_UNSPECIFIED: SessionState
SESSION_STATE_ACTIVE: SessionState
SESSION_STATE_TERMINATED: SessionState
SESSION_STATE_EXPIRED: SessionState
SESSION_STATE_SUSPENDED: SessionState
SESSION_STATE_LAPSED: SessionState
SESSION_KIND_UNSPECIFIED: SessionKind
SESSION_KIND_STANDING: SessionKind
SESSION_KIND_TASK: SessionKind
SESSION_KIND_SERVICE: SessionKind

class Lease(_message.Message):
    __slots__ = ("generation", "duration", "expire_time")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    generation: int
    duration: _duration_pb2.Duration
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, generation: _Optional[int] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class User(_message.Message):
    __slots__ = ("issuer", "subject", "name")
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    issuer: str
    subject: str
    name: str
    def __init__(self, issuer: _Optional[str] = ..., subject: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class Session(_message.Message):
    __slots__ = ("id", "zone", "application_id", "application_name", "parent_id", "root_id", "subject", "subject_type", "state", "labels", "ceiling", "create_time", "expire_time", "standing", "kind", "lease", "delegation_id", "user", "suspend_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_NAME_FIELD_NUMBER: _ClassVar[int]
    PARENT_ID_FIELD_NUMBER: _ClassVar[int]
    ROOT_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_TYPE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    CEILING_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    STANDING_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    DELEGATION_ID_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    SUSPEND_TIME_FIELD_NUMBER: _ClassVar[int]
    id: str
    zone: str
    application_id: str
    application_name: str
    parent_id: str
    root_id: str
    subject: str
    subject_type: _mandate_pb2.SubjectType
    state: SessionState
    labels: _containers.RepeatedScalarFieldContainer[str]
    ceiling: _containers.RepeatedCompositeFieldContainer[_application_pb2.Ceiling]
    create_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    standing: bool
    kind: SessionKind
    lease: Lease
    delegation_id: str
    user: User
    suspend_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., zone: _Optional[str] = ..., application_id: _Optional[str] = ..., application_name: _Optional[str] = ..., parent_id: _Optional[str] = ..., root_id: _Optional[str] = ..., subject: _Optional[str] = ..., subject_type: _Optional[_Union[_mandate_pb2.SubjectType, str]] = ..., state: _Optional[_Union[SessionState, str]] = ..., labels: _Optional[_Iterable[str]] = ..., ceiling: _Optional[_Iterable[_Union[_application_pb2.Ceiling, _Mapping]]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., standing: bool = ..., kind: _Optional[_Union[SessionKind, str]] = ..., lease: _Optional[_Union[Lease, _Mapping]] = ..., delegation_id: _Optional[str] = ..., user: _Optional[_Union[User, _Mapping]] = ..., suspend_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
