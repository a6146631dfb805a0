from caracal_grpc.v1 import application_pb2 as _application_pb2
from caracal_grpc.v1 import mandate_pb2 as _mandate_pb2
from caracal_grpc.v1 import session_pb2 as _session_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Delegation(_message.Message):
    __slots__ = ("id", "zone", "session_id", "application_id", "application_name", "receiver_id", "receiver_name", "receiver_session_id", "ceiling", "max_hops", "path", "subject", "subject_type", "state", "create_time", "expire_time")
    ID_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_NAME_FIELD_NUMBER: _ClassVar[int]
    RECEIVER_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIVER_NAME_FIELD_NUMBER: _ClassVar[int]
    RECEIVER_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    CEILING_FIELD_NUMBER: _ClassVar[int]
    MAX_HOPS_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_TYPE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    id: str
    zone: str
    session_id: str
    application_id: str
    application_name: str
    receiver_id: str
    receiver_name: str
    receiver_session_id: str
    ceiling: _containers.RepeatedCompositeFieldContainer[_application_pb2.Ceiling]
    max_hops: int
    path: _containers.RepeatedScalarFieldContainer[str]
    subject: str
    subject_type: _mandate_pb2.SubjectType
    state: _session_pb2.SessionState
    create_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., zone: _Optional[str] = ..., session_id: _Optional[str] = ..., application_id: _Optional[str] = ..., application_name: _Optional[str] = ..., receiver_id: _Optional[str] = ..., receiver_name: _Optional[str] = ..., receiver_session_id: _Optional[str] = ..., ceiling: _Optional[_Iterable[_Union[_application_pb2.Ceiling, _Mapping]]] = ..., max_hops: _Optional[int] = ..., path: _Optional[_Iterable[str]] = ..., subject: _Optional[str] = ..., subject_type: _Optional[_Union[_mandate_pb2.SubjectType, str]] = ..., state: _Optional[_Union[_session_pb2.SessionState, str]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
