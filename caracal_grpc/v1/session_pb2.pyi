from caracal_grpc.v1 import application_pb2 as _application_pb2
from caracal_grpc.v1 import mandate_pb2 as _mandate_pb2
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
SESSION_STATE_UNSPECIFIED: SessionState
SESSION_STATE_ACTIVE: SessionState
SESSION_STATE_TERMINATED: SessionState
SESSION_STATE_EXPIRED: SessionState

class Session(_message.Message):
    __slots__ = ("id", "zone", "application_id", "application_name", "parent_id", "root_id", "subject", "subject_type", "state", "labels", "ceiling", "create_time", "expire_time", "standing")
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
    def __init__(self, id: _Optional[str] = ..., zone: _Optional[str] = ..., application_id: _Optional[str] = ..., application_name: _Optional[str] = ..., parent_id: _Optional[str] = ..., root_id: _Optional[str] = ..., subject: _Optional[str] = ..., subject_type: _Optional[_Union[_mandate_pb2.SubjectType, str]] = ..., state: _Optional[_Union[SessionState, str]] = ..., labels: _Optional[_Iterable[str]] = ..., ceiling: _Optional[_Iterable[_Union[_application_pb2.Ceiling, _Mapping]]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., standing: bool = ...) -> None: ...
