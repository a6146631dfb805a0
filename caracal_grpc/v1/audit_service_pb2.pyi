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
    __slots__ = ("zone", "decision", "type", "reason", "application_id", "subject", "resource", "session_id", "jti", "request_id", "since", "until", "newest_first", "page_size", "page_token", "audit_id", "order_by", "about")
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
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    ABOUT_FIELD_NUMBER: _ClassVar[int]
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
    audit_id: str
    order_by: str
    about: str
    def __init__(self, zone: _Optional[str] = ..., decision: _Optional[_Union[_audit_pb2.AuditDecision, str]] = ..., type: _Optional[str] = ..., reason: _Optional[str] = ..., application_id: _Optional[str] = ..., subject: _Optional[str] = ..., resource: _Optional[str] = ..., session_id: _Optional[str] = ..., jti: _Optional[str] = ..., request_id: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., newest_first: bool = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., audit_id: _Optional[str] = ..., order_by: _Optional[str] = ..., about: _Optional[str] = ...) -> None: ...

class SearchResponse(_message.Message):
    __slots__ = ("entries", "next_page_token")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[_audit_pb2.AuditEntry]
    next_page_token: str
    def __init__(self, entries: _Optional[_Iterable[_Union[_audit_pb2.AuditEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ReadRequest(_message.Message):
    __slots__ = ("query", "follow", "include_pruned", "start_index", "end_index")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_PRUNED_FIELD_NUMBER: _ClassVar[int]
    START_INDEX_FIELD_NUMBER: _ClassVar[int]
    END_INDEX_FIELD_NUMBER: _ClassVar[int]
    query: SearchRequest
    follow: bool
    include_pruned: bool
    start_index: int
    end_index: int
    def __init__(self, query: _Optional[_Union[SearchRequest, _Mapping]] = ..., follow: bool = ..., include_pruned: bool = ..., start_index: _Optional[int] = ..., end_index: _Optional[int] = ...) -> None: ...

class ReadResponse(_message.Message):
    __slots__ = ("entries", "resume_token", "size")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[_audit_pb2.AuditEntry]
    resume_token: str
    size: int
    def __init__(self, entries: _Optional[_Iterable[_Union[_audit_pb2.AuditEntry, _Mapping]]] = ..., resume_token: _Optional[str] = ..., size: _Optional[int] = ...) -> None: ...

class ExplainRequest(_message.Message):
    __slots__ = ("zone", "audit_id", "jti", "request_id", "reevaluate", "suggest")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    JTI_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REEVALUATE_FIELD_NUMBER: _ClassVar[int]
    SUGGEST_FIELD_NUMBER: _ClassVar[int]
    zone: str
    audit_id: str
    jti: str
    request_id: str
    reevaluate: bool
    suggest: bool
    def __init__(self, zone: _Optional[str] = ..., audit_id: _Optional[str] = ..., jti: _Optional[str] = ..., request_id: _Optional[str] = ..., reevaluate: bool = ..., suggest: bool = ...) -> None: ...

class ExplainStep(_message.Message):
    __slots__ = ("by", "text", "kept")
    BY_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    by: str
    text: str
    kept: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, by: _Optional[str] = ..., text: _Optional[str] = ..., kept: _Optional[_Iterable[str]] = ...) -> None: ...

class StoryEvent(_message.Message):
    __slots__ = ("time", "kind", "text", "audit_id")
    TIME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    kind: str
    text: str
    audit_id: str
    def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., kind: _Optional[str] = ..., text: _Optional[str] = ..., audit_id: _Optional[str] = ...) -> None: ...

class Reevaluation(_message.Message):
    __slots__ = ("holds", "decision", "scopes", "differences", "decided_by")
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    DECIDED_BY_FIELD_NUMBER: _ClassVar[int]
    holds: bool
    decision: _audit_pb2.AuditDecision
    scopes: _containers.RepeatedScalarFieldContainer[str]
    differences: _containers.RepeatedScalarFieldContainer[str]
    decided_by: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, holds: bool = ..., decision: _Optional[_Union[_audit_pb2.AuditDecision, str]] = ..., scopes: _Optional[_Iterable[str]] = ..., differences: _Optional[_Iterable[str]] = ..., decided_by: _Optional[_Iterable[str]] = ...) -> None: ...

class Remedy(_message.Message):
    __slots__ = ("who", "text", "tried")
    WHO_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TRIED_FIELD_NUMBER: _ClassVar[int]
    who: str
    text: str
    tried: bool
    def __init__(self, who: _Optional[str] = ..., text: _Optional[str] = ..., tried: bool = ...) -> None: ...

class ExplainResponse(_message.Message):
    __slots__ = ("entry", "mandate", "steps", "alive", "dead_by", "story", "reevaluation", "remedies", "story_cut")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    MANDATE_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    ALIVE_FIELD_NUMBER: _ClassVar[int]
    DEAD_BY_FIELD_NUMBER: _ClassVar[int]
    STORY_FIELD_NUMBER: _ClassVar[int]
    REEVALUATION_FIELD_NUMBER: _ClassVar[int]
    REMEDIES_FIELD_NUMBER: _ClassVar[int]
    STORY_CUT_FIELD_NUMBER: _ClassVar[int]
    entry: _audit_pb2.AuditEntry
    mandate: _mandate_pb2.Mandate
    steps: _containers.RepeatedCompositeFieldContainer[ExplainStep]
    alive: bool
    dead_by: str
    story: _containers.RepeatedCompositeFieldContainer[StoryEvent]
    reevaluation: Reevaluation
    remedies: _containers.RepeatedCompositeFieldContainer[Remedy]
    story_cut: bool
    def __init__(self, entry: _Optional[_Union[_audit_pb2.AuditEntry, _Mapping]] = ..., mandate: _Optional[_Union[_mandate_pb2.Mandate, _Mapping]] = ..., steps: _Optional[_Iterable[_Union[ExplainStep, _Mapping]]] = ..., alive: bool = ..., dead_by: _Optional[str] = ..., story: _Optional[_Iterable[_Union[StoryEvent, _Mapping]]] = ..., reevaluation: _Optional[_Union[Reevaluation, _Mapping]] = ..., remedies: _Optional[_Iterable[_Union[Remedy, _Mapping]]] = ..., story_cut: bool = ...) -> None: ...

class GetCheckpointRequest(_message.Message):
    __slots__ = ("zone",)
    ZONE_FIELD_NUMBER: _ClassVar[int]
    zone: str
    def __init__(self, zone: _Optional[str] = ...) -> None: ...

class GetCheckpointResponse(_message.Message):
    __slots__ = ("checkpoint", "cosigned")
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    COSIGNED_FIELD_NUMBER: _ClassVar[int]
    checkpoint: _audit_pb2.Checkpoint
    cosigned: _audit_pb2.Checkpoint
    def __init__(self, checkpoint: _Optional[_Union[_audit_pb2.Checkpoint, _Mapping]] = ..., cosigned: _Optional[_Union[_audit_pb2.Checkpoint, _Mapping]] = ...) -> None: ...

class GetInclusionProofRequest(_message.Message):
    __slots__ = ("zone", "audit_id", "index", "tree_size")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    TREE_SIZE_FIELD_NUMBER: _ClassVar[int]
    zone: str
    audit_id: str
    index: int
    tree_size: int
    def __init__(self, zone: _Optional[str] = ..., audit_id: _Optional[str] = ..., index: _Optional[int] = ..., tree_size: _Optional[int] = ...) -> None: ...

class GetInclusionProofResponse(_message.Message):
    __slots__ = ("receipt",)
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: _audit_pb2.Receipt
    def __init__(self, receipt: _Optional[_Union[_audit_pb2.Receipt, _Mapping]] = ...) -> None: ...

class GetConsistencyProofRequest(_message.Message):
    __slots__ = ("zone", "first_size", "second_size")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    FIRST_SIZE_FIELD_NUMBER: _ClassVar[int]
    SECOND_SIZE_FIELD_NUMBER: _ClassVar[int]
    zone: str
    first_size: int
    second_size: int
    def __init__(self, zone: _Optional[str] = ..., first_size: _Optional[int] = ..., second_size: _Optional[int] = ...) -> None: ...

class GetConsistencyProofResponse(_message.Message):
    __slots__ = ("hashes", "checkpoint")
    HASHES_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    hashes: _containers.RepeatedScalarFieldContainer[bytes]
    checkpoint: _audit_pb2.Checkpoint
    def __init__(self, hashes: _Optional[_Iterable[bytes]] = ..., checkpoint: _Optional[_Union[_audit_pb2.Checkpoint, _Mapping]] = ...) -> None: ...

class GetRangeProofRequest(_message.Message):
    __slots__ = ("zone", "start_index", "end_index", "tree_size")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    START_INDEX_FIELD_NUMBER: _ClassVar[int]
    END_INDEX_FIELD_NUMBER: _ClassVar[int]
    TREE_SIZE_FIELD_NUMBER: _ClassVar[int]
    zone: str
    start_index: int
    end_index: int
    tree_size: int
    def __init__(self, zone: _Optional[str] = ..., start_index: _Optional[int] = ..., end_index: _Optional[int] = ..., tree_size: _Optional[int] = ...) -> None: ...

class GetRangeProofResponse(_message.Message):
    __slots__ = ("before", "after", "checkpoint")
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    before: _containers.RepeatedScalarFieldContainer[bytes]
    after: _containers.RepeatedScalarFieldContainer[bytes]
    checkpoint: _audit_pb2.Checkpoint
    def __init__(self, before: _Optional[_Iterable[bytes]] = ..., after: _Optional[_Iterable[bytes]] = ..., checkpoint: _Optional[_Union[_audit_pb2.Checkpoint, _Mapping]] = ...) -> None: ...

class AddCosignatureRequest(_message.Message):
    __slots__ = ("zone", "note")
    ZONE_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    zone: str
    note: str
    def __init__(self, zone: _Optional[str] = ..., note: _Optional[str] = ...) -> None: ...

class AddCosignatureResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetIntegrityRequest(_message.Message):
    __slots__ = ("zone",)
    ZONE_FIELD_NUMBER: _ClassVar[int]
    zone: str
    def __init__(self, zone: _Optional[str] = ...) -> None: ...

class IntegrityFinding(_message.Message):
    __slots__ = ("index", "kind", "text")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    index: int
    kind: str
    text: str
    def __init__(self, index: _Optional[int] = ..., kind: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class GetIntegrityResponse(_message.Message):
    __slots__ = ("ready", "checked_size", "checked_time", "findings")
    READY_FIELD_NUMBER: _ClassVar[int]
    CHECKED_SIZE_FIELD_NUMBER: _ClassVar[int]
    CHECKED_TIME_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    ready: bool
    checked_size: int
    checked_time: _timestamp_pb2.Timestamp
    findings: _containers.RepeatedCompositeFieldContainer[IntegrityFinding]
    def __init__(self, ready: bool = ..., checked_size: _Optional[int] = ..., checked_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., findings: _Optional[_Iterable[_Union[IntegrityFinding, _Mapping]]] = ...) -> None: ...

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
