from caracal_grpc.v1 import session_pb2 as _session_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Revocation(_message.Message):
    __slots__ = ("anchor", "revoke_time", "reason", "actor")
    ANCHOR_FIELD_NUMBER: _ClassVar[int]
    REVOKE_TIME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    anchor: str
    revoke_time: _timestamp_pb2.Timestamp
    reason: str
    actor: str
    def __init__(self, anchor: _Optional[str] = ..., revoke_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class Fallen(_message.Message):
    __slots__ = ("session_id", "delegation_id", "parent_id", "application_id", "application_name", "state", "depth")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    DELEGATION_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_ID_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    delegation_id: str
    parent_id: str
    application_id: str
    application_name: str
    state: _session_pb2.SessionState
    depth: int
    def __init__(self, session_id: _Optional[str] = ..., delegation_id: _Optional[str] = ..., parent_id: _Optional[str] = ..., application_id: _Optional[str] = ..., application_name: _Optional[str] = ..., state: _Optional[_Union[_session_pb2.SessionState, str]] = ..., depth: _Optional[int] = ...) -> None: ...

class SessionFilter(_message.Message):
    __slots__ = ("application_id", "subject", "label", "below", "created_before")
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    BELOW_FIELD_NUMBER: _ClassVar[int]
    CREATED_BEFORE_FIELD_NUMBER: _ClassVar[int]
    application_id: str
    subject: str
    label: str
    below: str
    created_before: _timestamp_pb2.Timestamp
    def __init__(self, application_id: _Optional[str] = ..., subject: _Optional[str] = ..., label: _Optional[str] = ..., below: _Optional[str] = ..., created_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
