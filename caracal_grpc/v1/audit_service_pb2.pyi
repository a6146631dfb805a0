from caracal_grpc.v1 import audit_pb2 as _audit_pb2
from caracal_grpc.v1 import authority_pb2 as _authority_pb2
from caracal_grpc.v1 import mandate_pb2 as _mandate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SearchRequest(_message.Message):
    __slots__ = ("zone", "decision", "type", "reason", "application_id", "subject", "resource", "session_id", "jti", "request_id", "since", "until", "newest_first", "page_size", "page_token")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    JTI_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIRST_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    zone: str
    decision: _audit_pb2.AuditDecision
    type: str
    reason: str
    application_id: str
    subject: str
    resource: str
    session_id: str
    jti: str
    request_id: str
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    newest_first: bool
    page_size: int
    page_token: str
    def __init__(self, zone: _Optional[str] = ..., decision: _Optional[_Union[_audit_pb2.AuditDecision, str]] = ..., type: _Optional[str] = ..., reason: _Optional[str] = ..., application_id: _Optional[str] = ..., subject: _Optional[str] = ..., resource: _Optional[str] = ..., session_id: _Optional[str] = ..., jti: _Optional[str] = ..., request_id: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., newest_first: bool = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class SearchResponse(_message.Message):
    __slots__ = ("entries", "next_page_token")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[_audit_pb2.AuditEntry]
    next_page_token: str
    def __init__(self, entries: _Optional[_Iterable[_Union[_audit_pb2.AuditEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ExplainRequest(_message.Message):
    __slots__ = ("zone", "audit_id", "jti", "request_id")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    JTI_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    zone: str
    audit_id: str
    jti: str
    request_id: str
    def __init__(self, zone: _Optional[str] = ..., audit_id: _Optional[str] = ..., jti: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ExplainStep(_message.Message):
    __slots__ = ("by", "text", "kept")
    BY_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    by: str
    text: str
    kept: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, by: _Optional[str] = ..., text: _Optional[str] = ..., kept: _Optional[_Iterable[str]] = ...) -> None: ...

class ExplainResponse(_message.Message):
    __slots__ = ("entry", "mandate", "steps", "alive", "dead_by")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    MANDATE_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    ALIVE_FIELD_NUMBER: _ClassVar[int]
    DEAD_BY_FIELD_NUMBER: _ClassVar[int]
    entry: _audit_pb2.AuditEntry
    mandate: _mandate_pb2.Mandate
    steps: _containers.RepeatedCompositeFieldContainer[ExplainStep]
    alive: bool
    dead_by: str
    def __init__(self, entry: _Optional[_Union[_audit_pb2.AuditEntry, _Mapping]] = ..., mandate: _Optional[_Union[_mandate_pb2.Mandate, _Mapping]] = ..., steps: _Optional[_Iterable[_Union[ExplainStep, _Mapping]]] = ..., alive: bool = ..., dead_by: _Optional[str] = ...) -> None: ...

class GetCheckpointRequest(_message.Message):
    __slots__ = ("zone",)
    ZONE_FIELD_NUMBER: _ClassVar[int]
    zone: str
    def __init__(self, zone: _Optional[str] = ...) -> None: ...

class GetCheckpointResponse(_message.Message):
    __slots__ = ("checkpoint",)
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    checkpoint: _audit_pb2.Checkpoint
    def __init__(self, checkpoint: _Optional[_Union[_audit_pb2.Checkpoint, _Mapping]] = ...) -> None: ...

class EdgeDecision(_message.Message):
    __slots__ = ("id", "time", "decision", "reason", "method", "resource", "jti", "application_id", "subject", "session_id", "request_id", "mandate_audit_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    JTI_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MANDATE_AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    time: _timestamp_pb2.Timestamp
    decision: _audit_pb2.AuditDecision
    reason: str
    method: str
    resource: str
    jti: str
    application_id: str
    subject: str
    session_id: str
    request_id: str
    mandate_audit_id: str
    def __init__(self, id: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., decision: _Optional[_Union[_audit_pb2.AuditDecision, str]] = ..., reason: _Optional[str] = ..., method: _Optional[str] = ..., resource: _Optional[str] = ..., jti: _Optional[str] = ..., application_id: _Optional[str] = ..., subject: _Optional[str] = ..., session_id: _Optional[str] = ..., request_id: _Optional[str] = ..., mandate_audit_id: _Optional[str] = ...) -> None: ...

class RecordRequest(_message.Message):
    __slots__ = ("zone", "decisions", "dropped", "sampling_rate")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_RATE_FIELD_NUMBER: _ClassVar[int]
    zone: str
    decisions: _containers.RepeatedCompositeFieldContainer[EdgeDecision]
    dropped: int
    sampling_rate: float
    def __init__(self, zone: _Optional[str] = ..., decisions: _Optional[_Iterable[_Union[EdgeDecision, _Mapping]]] = ..., dropped: _Optional[int] = ..., sampling_rate: _Optional[float] = ...) -> None: ...

class RecordResponse(_message.Message):
    __slots__ = ("recorded",)
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    recorded: int
    def __init__(self, recorded: _Optional[int] = ...) -> None: ...
